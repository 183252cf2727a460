use super::super::error::CommandError;
use super::{Value, arithmetic, arrays, convert, dates, logic, strings};

/// An operator that is a function of its arguments' values.
#[derive(Debug)]
pub(in crate::sandbox) struct Function {
    pub(super) name: &'static str,
    pub(super) arguments: Arguments,
    pub(super) call: fn(&[Value]) -> Result<Value, CommandError>,
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

macro_rules! functions {
    ($($name:literal $arguments:expr => $call:path;)*) => {
        static FUNCTIONS: &[Function] = &[$(Function { name: $name, arguments: $arguments, call: $call },)*];
    };
}

functions! {
    "$eq" exactly(2) => logic::eq;
    "$ne" exactly(2) => logic::ne;
    "$gt" exactly(2) => logic::gt;
    "$gte" exactly(2) => logic::gte;
    "$lt" exactly(2) => logic::lt;
    "$lte" exactly(2) => logic::lte;
    "$cmp" exactly(2) => logic::cmp;
    "$not" exactly(1) => logic::not;

    "$add" ANY => arithmetic::add;
    "$subtract" exactly(2) => arithmetic::subtract;
    "$multiply" ANY => arithmetic::multiply;
    "$divide" exactly(2) => arithmetic::divide;
    "$mod" exactly(2) => arithmetic::modulo;
    "$abs" exactly(1) => arithmetic::abs;
    "$ceil" exactly(1) => arithmetic::ceil;
    "$floor" exactly(1) => arithmetic::floor;
    "$round" between(1, 2) => arithmetic::round;
    "$trunc" between(1, 2) => arithmetic::trunc;
    "$sqrt" exactly(1) => arithmetic::sqrt;
    "$pow" exactly(2) => arithmetic::pow;
    "$exp" exactly(1) => arithmetic::exp;
    "$ln" exactly(1) => arithmetic::ln;
    "$log10" exactly(1) => arithmetic::log10;
    "$log" exactly(2) => arithmetic::log;
    "$rand" ANY => arithmetic::rand;
    "$sum" ANY => arithmetic::sum;
    "$avg" ANY => arithmetic::avg;
    "$min" ANY => arithmetic::min;
    "$max" ANY => arithmetic::max;

    "$concat" ANY => strings::concat;
    "$toLower" exactly(1) => strings::to_lower;
    "$toUpper" exactly(1) => strings::to_upper;
    "$strcasecmp" exactly(2) => strings::strcasecmp;
    "$strLenBytes" exactly(1) => strings::len_bytes;
    "$strLenCP" exactly(1) => strings::len_chars;
    "$substr" exactly(3) => strings::substr_bytes;
    "$substrBytes" exactly(3) => strings::substr_bytes;
    "$substrCP" exactly(3) => strings::substr_chars;
    "$indexOfBytes" between(2, 4) => strings::index_of_bytes;
    "$indexOfCP" between(2, 4) => strings::index_of_chars;
    "$split" exactly(2) => strings::split;
    "$trim" named(&["input", "chars"], 1) => strings::trim;
    "$ltrim" named(&["input", "chars"], 1) => strings::ltrim;
    "$rtrim" named(&["input", "chars"], 1) => strings::rtrim;
    "$replaceOne" named(&["input", "find", "replacement"], 3) => strings::replace_one;
    "$replaceAll" named(&["input", "find", "replacement"], 3) => strings::replace_all;
    "$regexMatch" named(&["input", "regex", "options"], 2) => strings::regex_match;
    "$regexFind" named(&["input", "regex", "options"], 2) => strings::regex_find;
    "$regexFindAll" named(&["input", "regex", "options"], 2) => strings::regex_find_all;

    "$size" exactly(1) => arrays::size;
    "$arrayElemAt" exactly(2) => arrays::element_at;
    "$first" exactly(1) => arrays::first;
    "$last" exactly(1) => arrays::last;
    "$firstN" named(&["input", "n"], 2) => arrays::first_n;
    "$lastN" named(&["input", "n"], 2) => arrays::last_n;
    "$concatArrays" ANY => arrays::concat;
    "$slice" between(2, 3) => arrays::slice;
    "$in" exactly(2) => arrays::contains;
    "$indexOfArray" between(2, 4) => arrays::index_of;
    "$isArray" exactly(1) => arrays::is_array;
    "$reverseArray" exactly(1) => arrays::reverse;
    "$range" between(2, 3) => arrays::range;
    "$sortArray" named(&["input", "sortBy"], 2) => arrays::sort;
    "$zip" named(&["inputs", "useLongestLength", "defaults"], 1) => arrays::zip;
    "$arrayToObject" exactly(1) => arrays::to_object;
    "$objectToArray" exactly(1) => arrays::from_object;
    "$mergeObjects" ANY => arrays::merge_objects;
    "$getField" named(&["field", "input"], 1) => arrays::get_field;
    "$setField" named(&["field", "input", "value"], 3) => arrays::set_field;
    "$setUnion" ANY => arrays::set_union;
    "$setIntersection" ANY => arrays::set_intersection;
    "$setDifference" exactly(2) => arrays::set_difference;
    "$setEquals" between(2, usize::MAX) => arrays::set_equals;
    "$setIsSubset" exactly(2) => arrays::set_is_subset;
    "$allElementsTrue" exactly(1) => arrays::all_true;
    "$anyElementTrue" exactly(1) => arrays::any_true;

    "$year" Arguments::Date => dates::year;
    "$month" Arguments::Date => dates::month;
    "$dayOfMonth" Arguments::Date => dates::day_of_month;
    "$dayOfWeek" Arguments::Date => dates::day_of_week;
    "$dayOfYear" Arguments::Date => dates::day_of_year;
    "$hour" Arguments::Date => dates::hour;
    "$minute" Arguments::Date => dates::minute;
    "$second" Arguments::Date => dates::second;
    "$millisecond" Arguments::Date => dates::millisecond;
    "$isoWeek" Arguments::Date => dates::iso_week;
    "$isoWeekYear" Arguments::Date => dates::iso_week_year;
    "$isoDayOfWeek" Arguments::Date => dates::iso_day_of_week;
    "$dateToString" named(&["date", "format", "timezone", "onNull"], 1) => dates::to_string;
    "$dateFromString" named(&["dateString", "format", "timezone", "onError", "onNull"], 1) => dates::from_string;
    "$dateAdd" named(&["startDate", "unit", "amount", "timezone"], 3) => dates::add;
    "$dateSubtract" named(&["startDate", "unit", "amount", "timezone"], 3) => dates::subtract;
    "$dateDiff" named(&["startDate", "endDate", "unit", "timezone", "startOfWeek"], 3) => dates::diff;
    "$dateTrunc" named(&["date", "unit", "binSize", "timezone", "startOfWeek"], 2) => dates::trunc;

    "$type" exactly(1) => convert::type_of;
    "$isNumber" exactly(1) => convert::is_number;
    "$toString" exactly(1) => convert::to_string;
    "$toInt" exactly(1) => convert::to_int;
    "$toLong" exactly(1) => convert::to_long;
    "$toDouble" exactly(1) => convert::to_double;
    "$toDecimal" exactly(1) => convert::to_decimal;
    "$toBool" exactly(1) => convert::to_bool;
    "$toDate" exactly(1) => convert::to_date;
    "$toObjectId" exactly(1) => convert::to_object_id;
    "$convert" named(&["input", "to", "onError", "onNull"], 2) => convert::convert;
}

/// The function of this name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

/// Expressions MongoDB has and the sandbox has not: they are refused by name.
pub(super) const MISSING: &[&str] = &[
    "$accumulator",
    "$acos",
    "$acosh",
    "$asin",
    "$asinh",
    "$atan",
    "$atan2",
    "$atanh",
    "$binarySize",
    "$bitAnd",
    "$bitNot",
    "$bitOr",
    "$bitXor",
    "$bsonSize",
    "$cos",
    "$cosh",
    "$dateFromParts",
    "$dateToParts",
    "$degreesToRadians",
    "$function",
    "$maxN",
    "$meta",
    "$median",
    "$minN",
    "$percentile",
    "$radiansToDegrees",
    "$sampleRate",
    "$sin",
    "$sinh",
    "$stdDevPop",
    "$stdDevSamp",
    "$tan",
    "$tanh",
    "$toHashedIndexKey",
    "$tsIncrement",
    "$tsSecond",
    "$unsetField",
    "$week",
];
