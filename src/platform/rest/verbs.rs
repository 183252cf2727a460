//! What can be done with objects: for every verb in which statuses, which status follows, and what the call must bring.

/// What a verb does besides changing the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Nothing.
    Plain,
    /// The vendor has done it: template, activation, and the subject is as it should be.
    Approve,
    /// The vendor can't or won't: needs a reason, and the subject is as it was.
    Fail,
    /// The customer must correct parameters: one of them must be marked.
    Inquire,
    /// Somebody takes it on.
    Assign,
    /// Nobody does.
    Unassign,
    /// It is to begin at a date.
    Schedule,
    /// A text the call must bring becomes a field of the object.
    Needs(&'static str),
    /// Texts the call may bring become fields of the object.
    Takes(&'static [&'static str]),
    /// The listing is as was asked for.
    List,
}

/// Something that can be done with an object.
#[derive(Debug)]
pub(crate) struct Verb {
    /// Its name in the path.
    pub(crate) name: &'static str,
    /// In which statuses; empty is any.
    pub(crate) from: &'static [&'static str],
    /// The status after it.
    pub(crate) to: Option<&'static str>,
    /// What else it does.
    pub(crate) step: Step,
}

const fn verb(name: &'static str, from: &'static [&'static str], to: &'static str, step: Step) -> Verb {
    Verb { name, from, to: Some(to), step }
}

const ASSIGN: Verb = Verb { name: "assign", from: &[], to: None, step: Step::Assign };
const UNASSIGN: Verb = Verb { name: "unassign", from: &[], to: None, step: Step::Unassign };
const APPROVE: Verb = verb("approve", &["pending"], "approved", Step::Approve);
const FAIL: Verb = verb("fail", &["pending", "inquiring"], "failed", Step::Fail);
const INQUIRE: Verb = verb("inquire", &["pending"], "inquiring", Step::Inquire);
const PEND: Verb = verb("pend", &["inquiring"], "pending", Step::Plain);

/// Asset requests.
pub(crate) const REQUEST: &[Verb] = &[
    APPROVE,
    FAIL,
    INQUIRE,
    PEND,
    verb("purchase", &["draft"], "pending", Step::Plain),
    verb("submit", &["draft"], "pending", Step::Plain),
    verb("schedule", &["pending"], "scheduled", Step::Schedule),
    verb("revoke", &["scheduled"], "revoking", Step::Needs("reason")),
    verb("confirm", &["revoking"], "revoked", Step::Plain),
    ASSIGN,
    UNASSIGN,
];
/// Tier configuration requests.
pub(crate) const TIER_CONFIG: &[Verb] =
    &[APPROVE, FAIL, INQUIRE, PEND, verb("submit", &["draft"], "pending", Step::Plain), ASSIGN, UNASSIGN];
/// Tier account requests.
pub(crate) const TIER_ACCOUNT: &[Verb] =
    &[verb("accept", &["pending"], "accepted", Step::Plain), verb("ignore", &["pending"], "ignored", Step::Needs("reason"))];
/// Listing requests.
pub(crate) const LISTING: &[Verb] = &[
    verb("submit", &["draft"], "reviewing", Step::Plain),
    verb("refine", &["reviewing"], "draft", Step::Plain),
    verb("deploy", &["reviewing"], "deploying", Step::Plain),
    verb("complete", &["deploying"], "completed", Step::List),
    verb("cancel", &["reviewing", "deploying"], "canceled", Step::Plain),
    ASSIGN,
    UNASSIGN,
];
/// Usage files. What is uploaded is found valid.
pub(crate) const USAGE_FILE: &[Verb] = &[
    verb("upload", &["draft", "invalid", "ready", "rejected"], "ready", Step::Plain),
    verb("submit", &["ready"], "pending", Step::Plain),
    verb("accept", &["pending"], "accepted", Step::Needs("acceptance_note")),
    verb("reject", &["pending"], "rejected", Step::Needs("rejection_note")),
    verb("close", &["accepted"], "closed", Step::Plain),
    verb("reprocess", &["invalid", "ready"], "ready", Step::Plain),
    verb("delete", &["draft", "invalid", "ready", "rejected"], "deleted", Step::Plain),
];
/// What accepts a usage file category by category.
pub(crate) const APPROVE_ALL: Verb = verb("approve-all", &["pending"], "accepted", Step::Plain);
/// Records of usage.
pub(crate) const USAGE_RECORD: &[Verb] =
    &[verb("close", &["valid"], "closed", Step::Takes(&["external_billing_id", "external_billing_note"]))];
/// Parts of usage files.
pub(crate) const USAGE_CHUNK: &[Verb] = &[
    verb("close", &["ready"], "closed", Step::Takes(&["external_billing_id", "external_billing_note"])),
    verb("regenerate", &["failed", "ready"], "ready", Step::Plain),
];
/// Help desk cases.
pub(crate) const CASE: &[Verb] = &[
    verb("inquire", &["pending"], "inquiring", Step::Plain),
    verb("pend", &["inquiring", "resolved"], "pending", Step::Plain),
    verb("resolve", &["pending", "inquiring"], "resolved", Step::Plain),
    verb("close", &["resolved"], "closed", Step::Takes(&["rating", "feedback"])),
];
/// Contracts.
pub(crate) const CONTRACT: &[Verb] = &[
    verb("enroll", &["enrolling", "new"], "pending", Step::Plain),
    verb("refine", &["pending"], "enrolling", Step::Plain),
    verb("sign", &["pending"], "active", Step::Plain),
    verb("reject", &["pending"], "rejected", Step::Plain),
    verb("terminate", &["active"], "terminated", Step::Plain),
];
/// Versions of price lists.
pub(crate) const PRICELIST_VERSION: &[Verb] = &[
    verb("activate", &["draft", "scheduled"], "active", Step::Plain),
    verb("schedule", &["draft"], "scheduled", Step::Plain),
    verb("cancel", &["scheduled"], "draft", Step::Plain),
];
/// Translations.
pub(crate) const TRANSLATION: &[Verb] = &[verb("activate", &["inactive"], "active", Step::Plain)];
/// Products.
pub(crate) const PRODUCT: &[Verb] =
    &[verb("endsale", &["published"], "endofsale", Step::Plain), verb("resumesale", &["endofsale"], "published", Step::Plain)];
/// Installations.
pub(crate) const INSTALLATION: &[Verb] = &[verb("uninstall", &["installed"], "uninstalled", Step::Takes(&["comment"]))];
