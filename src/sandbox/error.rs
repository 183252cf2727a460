use std::borrow::Cow;

use bson::{RawDocumentBuf, rawdoc};

/// One of MongoDB's error codes, with its name.
///
/// Source: `error_codes.yml` of the server. A code without a name of its own is `Location` and its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Code {
    /// The number a driver looks at.
    pub number: i32,
    /// The name a person reads (`codeName`).
    pub name: Cow<'static, str>,
}

macro_rules! codes {
    ($($constant:ident = $number:literal $name:literal;)*) => {
        #[allow(missing_docs)] // the name beside the number says it all
        impl Code {
            $(pub const $constant: Self = Self { number: $number, name: Cow::Borrowed($name) };)*

            const NAMED: &[Self] = &[$(Self::$constant),*];
        }
    };
}

codes! {
    INTERNAL_ERROR = 1 "InternalError";
    BAD_VALUE = 2 "BadValue";
    HOST_UNREACHABLE = 6 "HostUnreachable";
    FAILED_TO_PARSE = 9 "FailedToParse";
    UNAUTHORIZED = 13 "Unauthorized";
    TYPE_MISMATCH = 14 "TypeMismatch";
    OVERFLOW = 15 "Overflow";
    INVALID_LENGTH = 16 "InvalidLength";
    PROTOCOL_ERROR = 17 "ProtocolError";
    AUTHENTICATION_FAILED = 18 "AuthenticationFailed";
    ILLEGAL_OPERATION = 20 "IllegalOperation";
    INVALID_BSON = 22 "InvalidBSON";
    NAMESPACE_NOT_FOUND = 26 "NamespaceNotFound";
    PATH_NOT_VIABLE = 28 "PathNotViable";
    CONFLICTING_UPDATE_OPERATORS = 40 "ConflictingUpdateOperators";
    CURSOR_NOT_FOUND = 43 "CursorNotFound";
    NAMESPACE_EXISTS = 48 "NamespaceExists";
    DOLLAR_PREFIXED_FIELD_NAME = 52 "DollarPrefixedFieldName";
    INVALID_ID_FIELD = 53 "InvalidIdField";
    NOT_SINGLE_VALUE_FIELD = 54 "NotSingleValueField";
    EMPTY_FIELD_NAME = 56 "EmptyFieldName";
    COMMAND_NOT_FOUND = 59 "CommandNotFound";
    IMMUTABLE_FIELD = 66 "ImmutableField";
    INVALID_NAMESPACE = 73 "InvalidNamespace";
    INVALID_OPTIONS = 72 "InvalidOptions";
    CANNOT_CREATE_INDEX = 67 "CannotCreateIndex";
    INVALID_INDEX_SPECIFICATION_OPTION = 197 "InvalidIndexSpecificationOption";
    INDEX_NOT_FOUND = 27 "IndexNotFound";
    INDEX_OPTIONS_CONFLICT = 85 "IndexOptionsConflict";
    INDEX_KEY_SPECS_CONFLICT = 86 "IndexKeySpecsConflict";
    CANNOT_INDEX_PARALLEL_ARRAYS = 171 "CannotIndexParallelArrays";
    SHUTDOWN_IN_PROGRESS = 91 "ShutdownInProgress";
    QUERY_PLAN_KILLED = 175 "QueryPlanKilled";
    NOT_IMPLEMENTED = 238 "NotImplemented";
    QUERY_FEATURE_NOT_ALLOWED = 224 "QueryFeatureNotAllowed";
    CONVERSION_FAILURE = 241 "ConversionFailure";
    NOT_A_REPLICA_SET = 123 "NotAReplicaSet";
    EXCEEDED_MEMORY_LIMIT = 146 "ExceededMemoryLimit";
    INVALID_PIPELINE_OPERATOR = 168 "InvalidPipelineOperator";
    MECHANISM_UNAVAILABLE = 334 "MechanismUnavailable";
    BSON_OBJECT_TOO_LARGE = 10334 "BSONObjectTooLarge";
    DATABASE_DIFFER_CASE = 13297 "DatabaseDifferCase";
    OPERATION_FAILED = 96 "OperationFailed";
    DUPLICATE_KEY = 11000 "DuplicateKey";
    NO_QUERY_EXECUTION_PLANS = 291 "NoQueryExecutionPlans";
    MAX_TIME_MS_EXPIRED = 50 "MaxTimeMSExpired";
    DOCUMENT_VALIDATION_FAILURE = 121 "DocumentValidationFailure";
    MERGE_STAGE_NO_MATCHING_DOCUMENT = 13113 "MergeStageNoMatchingDocument";
    VIEW_DEPTH_LIMIT_EXCEEDED = 165 "ViewDepthLimitExceeded";
    COMMAND_NOT_SUPPORTED_ON_VIEW = 166 "CommandNotSupportedOnView";
    OPTION_NOT_SUPPORTED_ON_VIEW = 167 "OptionNotSupportedOnView";
    OUT_OF_DISK_SPACE = 14031 "OutOfDiskSpace";
}

impl Code {
    /// The code of this number, as it comes where no name does: in the `writeErrors` of a batch.
    pub(super) fn numbered(number: i32) -> Self {
        Self::NAMED.iter().find(|code| code.number == number).cloned().unwrap_or_else(|| Self::location(number))
    }

    /// A code the server gives to one place in its source only.
    #[must_use]
    pub fn location(number: i32) -> Self {
        Self { number, name: Cow::Owned(format!("Location{number}")) }
    }
}

/// Why a command failed, as MongoDB would say it: this goes back to the client.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{message} ({}, code {})", code.name, code.number)]
pub struct CommandError {
    /// MongoDB's code.
    pub code: Code,
    /// What is wrong, in MongoDB's words where it has some.
    pub message: String,
    /// More fields of the answer: `keyPattern` and `keyValue` of a duplicate key.
    pub details: Option<RawDocumentBuf>,
}

impl CommandError {
    /// An error of `code` that says `message`.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), details: None }
    }

    /// Code 2, `BadValue`.
    pub fn bad_value(message: impl Into<String>) -> Self {
        Self::new(Code::BAD_VALUE, message)
    }

    /// Code 238, `NotImplemented`: the sandbox says what it cannot do, it never guesses.
    pub fn not_implemented(what: &str) -> Self {
        Self::new(Code::NOT_IMPLEMENTED, format!("{what} is not supported by the sandbox"))
    }

    /// The answer to a failed command.
    #[must_use]
    pub fn reply(&self) -> RawDocumentBuf {
        let mut reply = rawdoc! {
            "ok": 0.0,
            "errmsg": self.message.as_str(),
            "code": self.code.number,
            "codeName": self.code.name.as_ref(),
        };
        self.append_details(&mut reply);
        reply
    }

    /// The entry of this error in the `writeErrors` of a batch.
    #[must_use]
    pub fn write_error(&self, index: i32) -> RawDocumentBuf {
        let mut entry = rawdoc! { "index": index, "code": self.code.number };
        self.append_details(&mut entry);
        entry.append(bson::raw::cstr!("errmsg"), self.message.as_str());
        entry
    }

    fn append_details(&self, to: &mut RawDocumentBuf) {
        for (key, value) in self.details.iter().flat_map(|d| d.iter()).flatten() {
            to.append(key, value);
        }
    }
}

/// SQLite's codes of a file that cannot be written, synchronised, cut, or made in the file system.
const WRITING: [i32; 5] = [
    rusqlite::ffi::SQLITE_IOERR_WRITE,
    rusqlite::ffi::SQLITE_IOERR_FSYNC,
    rusqlite::ffi::SQLITE_IOERR_TRUNCATE,
    rusqlite::ffi::SQLITE_IOERR_SHMSIZE,
    rusqlite::ffi::SQLITE_IOERR_SHMMAP,
];

impl From<rusqlite::Error> for CommandError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => {
                Self::new(Code::OUT_OF_DISK_SPACE, "the disk is full: nothing of this operation was stored")
            }
            // A quota or a limit of the file's size, for instance: to whoever writes it is the same.
            Some(rusqlite::ErrorCode::SystemIoFailure)
                if error.sqlite_error().is_some_and(|e| WRITING.contains(&e.extended_code)) =>
            {
                let message = format!("the sandbox's file cannot be written ({error}): nothing of this operation was stored");
                Self::new(Code::OUT_OF_DISK_SPACE, message)
            }
            _ => Self::new(Code::INTERNAL_ERROR, format!("the sandbox's file: {error}")),
        }
    }
}

impl From<bson::error::Error> for CommandError {
    fn from(error: bson::error::Error) -> Self {
        Self::new(Code::INVALID_BSON, format!("invalid BSON: {error}"))
    }
}
