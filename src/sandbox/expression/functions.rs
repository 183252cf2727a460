use super::super::error::CommandError;
use super::super::value::Collation;
use super::{Value, arithmetic, arrays, bits, convert, date_parts, dates, logic, objects, sets, strings, trigonometry};

/// An operator that is a function of its arguments' values.
#[derive(Debug)]
pub(in crate::sandbox) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: Arguments,
    call: Call,
}

#[derive(Debug, Clone, Copy)]
enum Call {
    Plain(fn(&[Value]) -> Result<Value, CommandError>),
    /// It compares values, so it matters how strings are compared.
    Comparing(fn(&[Value], &Collation) -> Result<Value, CommandError>),
    /// One null makes the answer null: what comes after it is not computed, and cannot fail.
    UntilNull(fn(&[Value]) -> Result<Value, CommandError>),
}

impl Function {
    pub(super) fn call(&self, arguments: &[Value], collation: &Collation) -> Result<Value, CommandError> {
        match self.call {
            Call::Plain(call) | Call::UntilNull(call) => call(arguments),
            Call::Comparing(call) => call(arguments, collation),
        }
    }

    /// Whether the arguments after a null do not matter.
    pub(super) fn ends_at_null(&self) -> bool {
        matches!(self.call, Call::UntilNull(_))
    }
}

/// How a function's arguments are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Arguments {
    Positional {
        least: usize,
        most: usize,
    },
    /// As a document; the first `required` of the names must be there.
    Named {
        names: &'static [&'static str],
        required: usize,
    },
    /// A date alone, or `{date, timezone}`.
    Date,
}

const fn exactly(n: usize) -> Arguments {
    Arguments::Positional { least: n, most: n }
}

const fn between(least: usize, most: usize) -> Arguments {
    Arguments::Positional { least, most }
}

const fn named(names: &'static [&'static str], required: usize) -> Arguments {
    Arguments::Named { names, required }
}

const ANY: Arguments = between(0, usize::MAX);

const DATE_PARTS: &[&str] =
    &["year", "month", "day", "isoWeekYear", "isoWeek", "isoDayOfWeek", "hour", "minute", "second", "millisecond", "timezone"];

macro_rules! functions {
    ($($kind:ident $name:literal $arguments:expr => $call:path;)*) => {
        static FUNCTIONS: &[Function] = &[$(Function { name: $name, arguments: $arguments, call: Call::$kind($call) },)*];
    };
}

functions! {
    Comparing "$eq" exactly(2) => logic::eq;
    Comparing "$ne" exactly(2) => logic::ne;
    Comparing "$gt" exactly(2) => logic::gt;
    Comparing "$gte" exactly(2) => logic::gte;
    Comparing "$lt" exactly(2) => logic::lt;
    Comparing "$lte" exactly(2) => logic::lte;
    Comparing "$cmp" exactly(2) => logic::cmp;
    Plain "$not" exactly(1) => logic::not;

    UntilNull "$add" ANY => arithmetic::add;
    Plain "$subtract" exactly(2) => arithmetic::subtract;
    UntilNull "$multiply" ANY => arithmetic::multiply;
    Plain "$divide" exactly(2) => arithmetic::divide;
    Plain "$mod" exactly(2) => arithmetic::modulo;
    Plain "$abs" exactly(1) => arithmetic::abs;
    Plain "$ceil" exactly(1) => arithmetic::ceil;
    Plain "$floor" exactly(1) => arithmetic::floor;
    Plain "$round" between(1, 2) => arithmetic::round;
    Plain "$trunc" between(1, 2) => arithmetic::trunc;
    Plain "$sqrt" exactly(1) => arithmetic::sqrt;
    Plain "$pow" exactly(2) => arithmetic::pow;
    Plain "$exp" exactly(1) => arithmetic::exp;
    Plain "$ln" exactly(1) => arithmetic::ln;
    Plain "$log10" exactly(1) => arithmetic::log10;
    Plain "$log" exactly(2) => arithmetic::log;
    Plain "$rand" ANY => arithmetic::rand;
    Plain "$sum" ANY => arithmetic::sum;
    Plain "$avg" ANY => arithmetic::avg;
    Comparing "$min" ANY => arithmetic::min;
    Comparing "$max" ANY => arithmetic::max;

    Plain "$stdDevPop" ANY => arithmetic::deviation_pop;
    Plain "$stdDevSamp" ANY => arithmetic::deviation_samp;

    Plain "$sin" exactly(1) => trigonometry::sin;
    Plain "$cos" exactly(1) => trigonometry::cos;
    Plain "$tan" exactly(1) => trigonometry::tan;
    Plain "$asin" exactly(1) => trigonometry::asin;
    Plain "$acos" exactly(1) => trigonometry::acos;
    Plain "$atan" exactly(1) => trigonometry::atan;
    Plain "$atan2" exactly(2) => trigonometry::atan2;
    Plain "$sinh" exactly(1) => trigonometry::sinh;
    Plain "$cosh" exactly(1) => trigonometry::cosh;
    Plain "$tanh" exactly(1) => trigonometry::tanh;
    Plain "$asinh" exactly(1) => trigonometry::asinh;
    Plain "$acosh" exactly(1) => trigonometry::acosh;
    Plain "$atanh" exactly(1) => trigonometry::atanh;
    Plain "$degreesToRadians" exactly(1) => trigonometry::radians;
    Plain "$radiansToDegrees" exactly(1) => trigonometry::degrees;

    Plain "$bitAnd" ANY => bits::and;
    Plain "$bitOr" ANY => bits::or;
    Plain "$bitXor" ANY => bits::xor;
    Plain "$bitNot" exactly(1) => bits::not;
    Plain "$binarySize" exactly(1) => bits::binary_size;
    Plain "$bsonSize" exactly(1) => bits::bson_size;
    Plain "$tsSecond" exactly(1) => bits::ts_second;
    Plain "$tsIncrement" exactly(1) => bits::ts_increment;

    UntilNull "$concat" ANY => strings::concat;
    Plain "$toLower" exactly(1) => strings::to_lower;
    Plain "$toUpper" exactly(1) => strings::to_upper;
    Plain "$strcasecmp" exactly(2) => strings::strcasecmp;
    Plain "$strLenBytes" exactly(1) => strings::len_bytes;
    Plain "$strLenCP" exactly(1) => strings::len_chars;
    Plain "$substr" exactly(3) => strings::substr_bytes;
    Plain "$substrBytes" exactly(3) => strings::substr_bytes;
    Plain "$substrCP" exactly(3) => strings::substr_chars;
    Plain "$indexOfBytes" between(2, 4) => strings::index_of_bytes;
    Plain "$indexOfCP" between(2, 4) => strings::index_of_chars;
    Plain "$split" exactly(2) => strings::split;
    Plain "$trim" named(&["input", "chars"], 1) => strings::trim;
    Plain "$ltrim" named(&["input", "chars"], 1) => strings::ltrim;
    Plain "$rtrim" named(&["input", "chars"], 1) => strings::rtrim;
    Plain "$replaceOne" named(&["input", "find", "replacement"], 3) => strings::replace_one;
    Plain "$replaceAll" named(&["input", "find", "replacement"], 3) => strings::replace_all;
    Plain "$regexMatch" named(&["input", "regex", "options"], 2) => strings::regex_match;
    Plain "$regexFind" named(&["input", "regex", "options"], 2) => strings::regex_find;
    Plain "$regexFindAll" named(&["input", "regex", "options"], 2) => strings::regex_find_all;

    Plain "$size" exactly(1) => arrays::size;
    Plain "$arrayElemAt" exactly(2) => arrays::element_at;
    Plain "$first" exactly(1) => arrays::first;
    Plain "$last" exactly(1) => arrays::last;
    Plain "$firstN" named(&["input", "n"], 2) => arrays::first_n;
    Plain "$lastN" named(&["input", "n"], 2) => arrays::last_n;
    Comparing "$maxN" named(&["input", "n"], 2) => arrays::max_n;
    Comparing "$minN" named(&["input", "n"], 2) => arrays::min_n;
    UntilNull "$concatArrays" ANY => arrays::concat;
    Plain "$slice" between(2, 3) => arrays::slice;
    Comparing "$in" exactly(2) => arrays::contains;
    Comparing "$indexOfArray" between(2, 4) => arrays::index_of;
    Plain "$isArray" exactly(1) => arrays::is_array;
    Plain "$reverseArray" exactly(1) => arrays::reverse;
    Plain "$range" between(2, 3) => arrays::range;
    Comparing "$sortArray" named(&["input", "sortBy"], 2) => arrays::sort;
    Plain "$zip" named(&["inputs", "useLongestLength", "defaults"], 1) => arrays::zip;
    Plain "$arrayToObject" exactly(1) => objects::to_object;
    Plain "$objectToArray" exactly(1) => objects::from_object;
    Plain "$mergeObjects" ANY => objects::merge_objects;
    Plain "$getField" named(&["field", "input"], 1) => objects::get_field;
    Plain "$unsetField" named(&["field", "input"], 2) => objects::unset_field;
    Plain "$setField" named(&["field", "input", "value"], 3) => objects::set_field;
    Comparing "$setUnion" ANY => sets::union;
    Comparing "$setIntersection" ANY => sets::intersection;
    Comparing "$setDifference" exactly(2) => sets::difference;
    Comparing "$setEquals" between(2, usize::MAX) => sets::equals;
    Comparing "$setIsSubset" exactly(2) => sets::is_subset;
    Plain "$allElementsTrue" exactly(1) => sets::all_true;
    Plain "$anyElementTrue" exactly(1) => sets::any_true;

    Plain "$year" Arguments::Date => dates::year;
    Plain "$month" Arguments::Date => dates::month;
    Plain "$dayOfMonth" Arguments::Date => dates::day_of_month;
    Plain "$dayOfWeek" Arguments::Date => dates::day_of_week;
    Plain "$dayOfYear" Arguments::Date => dates::day_of_year;
    Plain "$hour" Arguments::Date => dates::hour;
    Plain "$minute" Arguments::Date => dates::minute;
    Plain "$second" Arguments::Date => dates::second;
    Plain "$millisecond" Arguments::Date => dates::millisecond;
    Plain "$isoWeek" Arguments::Date => dates::iso_week;
    Plain "$isoWeekYear" Arguments::Date => dates::iso_week_year;
    Plain "$isoDayOfWeek" Arguments::Date => dates::iso_day_of_week;
    Plain "$week" Arguments::Date => date_parts::week;
    Plain "$dateToParts" named(&["date", "timezone", "iso8601"], 1) => date_parts::to_parts;
    Plain "$dateFromParts" named(DATE_PARTS, 0) => date_parts::from_parts;
    Plain "$dateToString" named(&["date", "format", "timezone", "onNull"], 1) => dates::to_string;
    Plain "$dateFromString" named(&["dateString", "format", "timezone", "onError", "onNull"], 1) => dates::from_string;
    Plain "$dateAdd" named(&["startDate", "unit", "amount", "timezone"], 3) => dates::add;
    Plain "$dateSubtract" named(&["startDate", "unit", "amount", "timezone"], 3) => dates::subtract;
    Plain "$dateDiff" named(&["startDate", "endDate", "unit", "timezone", "startOfWeek"], 3) => dates::diff;
    Plain "$dateTrunc" named(&["date", "unit", "binSize", "timezone", "startOfWeek"], 2) => dates::trunc;

    Plain "$type" exactly(1) => convert::type_of;
    Plain "$isNumber" exactly(1) => convert::is_number;
    Plain "$toString" exactly(1) => convert::to_string;
    Plain "$toInt" exactly(1) => convert::to_int;
    Plain "$toLong" exactly(1) => convert::to_long;
    Plain "$toDouble" exactly(1) => convert::to_double;
    Plain "$toDecimal" exactly(1) => convert::to_decimal;
    Plain "$toBool" exactly(1) => convert::to_bool;
    Plain "$toDate" exactly(1) => convert::to_date;
    Plain "$toObjectId" exactly(1) => convert::to_object_id;
    Plain "$convert" named(&["input", "to", "onError", "onNull"], 2) => convert::convert;
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Expressions that need a JavaScript engine, which there is none, as in a server that was started without.
pub(super) const JAVASCRIPT: &[&str] = &["$accumulator", "$function"];

/// Expressions MongoDB has and the sandbox has not: they are refused by name.
pub(super) const MISSING: &[&str] = &["$median", "$meta", "$percentile", "$sampleRate", "$toHashedIndexKey"];
