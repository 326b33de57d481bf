//! What an SDK error means, said once for all services.

use aws_sdk_dynamodb::config::http::HttpResponse;
use aws_sdk_dynamodb::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use pitpet_pipeline::ports::{QueueError, TableError};

use crate::attempts::{Outlook, Prospect};

/// A failed call, by what can be done about it.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The condition of a write did not hold.
    Condition,
    /// Refused for load; not executed.
    Throttled,
    /// The outcome is unknown.
    Unavailable(String),
    /// Will never succeed.
    Refused(String),
}

/// Codes by which AWS services refuse a call for load or contention, before executing it.
const NOT_EXECUTED_CODES: [&str; 12] = [
    "ProvisionedThroughputExceededException",
    "ProvisionedThroughputExceeded",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "ThrottlingException",
    "Throttling",
    "ThrottlingError",
    "TooManyRequestsException",
    "TransactionConflictException",
    "TransactionConflict",
    "TransactionInProgressException",
];

/// Says whether a code means "refused for load".
pub(crate) fn is_throttling(code: &str) -> bool {
    NOT_EXECUTED_CODES.contains(&code) || code.ends_with(".RequestThrottled") || code == "KmsThrottled"
}

impl Failure {
    /// Reads an SDK error.
    pub(crate) fn of<E>(error: SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        match &error {
            SdkError::ServiceError(service) => {
                let status = service.raw().status().as_u16();
                let code = service.err().code().unwrap_or("no code");
                if code == "ConditionalCheckFailedException" {
                    Self::Condition
                } else if is_throttling(code) || status == 429 {
                    Self::Throttled
                } else {
                    let message = format!("{code}: {}", service.err().message().unwrap_or("no message"));
                    if status >= 500 { Self::Unavailable(message) } else { Self::Refused(message) }
                }
            }
            // The request could not even be built: a missing field, no credentials.
            SdkError::ConstructionFailure(_) => Self::Refused(DisplayErrorContext(&error).to_string()),
            SdkError::TimeoutError(_) => Self::Unavailable("no answer in time".into()),
            _ => Self::Unavailable(DisplayErrorContext(&error).to_string()),
        }
    }
}

impl Outlook for Failure {
    fn prospect(&self) -> Prospect {
        match self {
            Self::Throttled => Prospect::NotExecuted,
            Self::Unavailable(_) => Prospect::Unknown,
            Self::Condition | Self::Refused(_) => Prospect::Settled,
        }
    }
}

impl From<Failure> for TableError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Condition => Self::Conflict,
            Failure::Throttled => Self::Throttled,
            Failure::Unavailable(message) => Self::Unavailable { message },
            Failure::Refused(message) => Self::Refused { message },
        }
    }
}

impl From<Failure> for QueueError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Throttled => Self::Throttled,
            Failure::Unavailable(message) => Self::Unavailable { message },
            // Queues have no conditions; the code would be a fault of the service.
            Failure::Condition => Self::Refused { message: "a conditional check failed".into() },
            Failure::Refused(message) => Self::Refused { message },
        }
    }
}
