//! What a session would say, and states of the console, for tests.

use jiff::tz::TimeZone;
use serde_json::{Value, json};

use super::message::{Answer, Ask, Effect, Message, Timed};
use super::state::State;
use super::theme::Theme;
use super::update::update;
use crate::journal::{DeliveryRow, DeliveryState, LogRow, ObservationRow};
use crate::observe::{
    Answer as Answered, ApiCall, Backend, Fact, Level, LinkState, Observation, StepKind, StepOutcome, StoreCall, TaskArrived,
    Timestamp,
};
use crate::workbench::{EventTypeRow, Found, LinkStatus, Reply, Status, StoreReply, VariableRow, VariableState, WaitingRow};

/// 2026-03-04 10:15:00 UTC.
pub(crate) const NOON: i64 = 1_772_619_300_000_000;

pub(crate) fn at(seconds: f64) -> Timestamp {
    #[allow(clippy::cast_possible_truncation)] // a few seconds
    Timestamp(NOON + (seconds * 1e6) as i64)
}

pub(crate) fn delivery(id: i64, result: Option<&str>) -> DeliveryRow {
    DeliveryRow {
        task_id: format!("TQ-9481-7650-8096-{id:04}"),
        object_id: format!("PR-5512-0934-7781-{:03}", id % 1000),
        #[allow(clippy::cast_precision_loss)] // small numbers
        arrived_at: at(id as f64 * 1.5),
        micros: result.map(|_| 84_000),
        origin: Some("trigger".into()),
        api_calls: 2,
        store_calls: 2,
        logs: 1,
        saga: Some("save the request".into()),
        ..DeliveryRow::example(id, result)
    }
}

/// One delivery of every kind, the newest still running.
pub(crate) fn deliveries() -> Vec<DeliveryRow> {
    let mut all: Vec<_> = ["success", "fail", "retry", "reschedule", "skip", "success"]
        .into_iter()
        .zip(1..)
        .map(|(r, id)| delivery(id, Some(r)))
        .collect();
    all[1].message = Some("the vendor refused the order".into());
    all[2].attempt = 2;
    all[3].countdown = 300;
    all[4].event_type = "tier_config_change_request_validation".into();
    all[5].replay_of = Some(1);
    all[5].origin = Some("replay".into());
    let mut lost = delivery(7, None);
    lost.state = DeliveryState::Interrupted;
    all.extend([lost, delivery(8, None)]);
    all
}

fn api(path: &str) -> Fact {
    Fact::ApiCall(ApiCall {
        method: "GET".into(),
        path: path.into(),
        status: Some(200),
        request: None,
        response: Some(json!([]).into()),
        content_range: None,
        error: None,
        micros: 4_100,
    })
}

fn stored(backend: Backend, collection: &str, error: Option<&str>) -> Fact {
    Fact::StoreCall(StoreCall {
        backend,
        operation: "insertOne".into(),
        database: "connect".into(),
        collection: collection.into(),
        input: json!({"id": "PR-5512-0934-7781-001"}),
        output: error.is_none().then(|| json!({"insertedId": {"$oid": "66f0a1b2c3d4e5f607182930"}})),
        error: error.map(Into::into),
        micros: 9_300,
    })
}

/// What a delivery whose saga works looks like, or one whose second store fails.
pub(crate) fn observations(id: i64, fails: bool) -> Vec<ObservationRow> {
    let begin = |parent, step_kind, name: &str| Fact::StepStarted { parent, step_kind, name: name.into(), request: None };
    let end = |outcome, detail: Option<&str>| Fact::StepEnded {
        outcome,
        detail: detail.map(Into::into),
        request: None,
        micros: 31_000,
    };
    let refused =
        "the server at 127.0.0.1:27017 refused the password of the user connect.\nCheck DB_USER and DB_PASSWORD in Variables.";
    let why = fails.then_some(refused);
    let task = TaskArrived {
        task_id: format!("TQ-9481-7650-8096-{id:04}"),
        category: "background".into(),
        event_type: "asset_purchase_request_processing".into(),
        object_id: "PR-5512-0934-7781-001".into(),
        task: json!({"options": {"task_id": "TQ-9481-7650-8096-0001"}}),
    };
    let log =
        Fact::Log { level: Level::Info, target: "extension".into(), message: "saving a purchase of PRD-276-377-545".into() };
    let outcome = if fails { StepOutcome::Failed } else { StepOutcome::Done };
    let mut facts = vec![
        (0, Fact::TaskArrived(task)),
        (0, api("requests?eq(id,PR-5512-0934-7781-001)&in(status,(pending))&limit=0")),
        (0, api("requests/PR-5512-0934-7781-001")),
        (
            0,
            Fact::ObjectFetched {
                object: json!({"id": "PR-5512-0934-7781-001", "status": "pending", "note": "a\u{1b}[31m note"}).into(),
            },
        ),
        (1, begin(0, StepKind::Handler, "purchase")),
        (2, begin(1, StepKind::Saga, "save the request")),
        (3, begin(2, StepKind::Decision, "AlreadySaved")),
        (3, end(StepOutcome::No, None)),
        (4, begin(2, StepKind::Decision, "SaveRequest")),
        (4, end(StepOutcome::Yes, None)),
        (5, begin(2, StepKind::Middleware, "Timing")),
        (6, begin(5, StepKind::Execute, "SaveRequest")),
        (6, log),
        (6, stored(Backend::DataApi, "requests_http", None)),
        (6, stored(Backend::Driver, "requests", why)),
        (6, end(outcome, why)),
    ];
    if fails {
        facts.extend([
            (7, begin(5, StepKind::Compensate, "SaveRequest")),
            (7, end(StepOutcome::Done, Some("deleted from requests_http"))),
        ]);
    }
    facts.extend([(5, end(StepOutcome::Done, None)), (2, end(StepOutcome::Done, None)), (1, end(StepOutcome::Done, None))]);
    let answer = Answered {
        result: if fails { "fail" } else { "success" }.into(),
        message: why.map(Into::into),
        countdown: 0,
        data: None,
        micros: 84_000,
    };
    facts.extend([(0, Fact::Answered(answer)), (0, Fact::ResultSent { task_id: "TQ".into() })]);
    let begun = delivery(id, None).arrived_at.0;
    let row = |(place, (step, fact)): (i64, (u32, Fact))| ObservationRow {
        row: place,
        delivery: Some(id),
        observation: Observation { at: Timestamp(begun + place * 3_700), delivery: None, step, fact },
    };
    (0..).zip(facts).map(row).collect()
}

pub(crate) fn logs() -> Vec<LogRow> {
    let line = |row, level, target: &str, message: &str| LogRow {
        row,
        #[allow(clippy::cast_precision_loss)] // small numbers
        at: at(row as f64 / 8.0),
        delivery: (row > 2).then_some(row - 2),
        level,
        target: target.into(),
        message: message.into(),
    };
    vec![
        line(1, Level::Info, "runtime", "Connected to Connect at 127.0.0.1:40001."),
        line(2, Level::Debug, "platform", "handshake of a background runner"),
        line(3, Level::Info, "extension", "saving a purchase of PRD-276-377-545"),
        line(4, Level::Warning, "extension", "the vendor answers slowly"),
        line(5, Level::Error, "extension", "the vendor refused the order\nTraceback:\n  here"),
    ]
}

pub(crate) fn variables() -> Vec<VariableRow> {
    let value = |text: &str| VariableState::Value(text.into());
    let row = |n: u32, name: &str, state: VariableState| VariableRow {
        id: Some(format!("VAR-1234-{n:04}")),
        name: name.into(),
        secure: matches!(state, VariableState::Secret(_)),
        live: state.clone(),
        stored: state,
        staged: None,
        declared: true,
    };
    let mut all = vec![
        row(1, "DATA_API_ENDPOINT", value("http://127.0.0.1:40003/app/data/endpoint/data/v1")),
        row(2, "DB", value("connect")),
        row(3, "DB_PASSWORD", VariableState::Secret(7)),
        row(4, "DRIVER_COLLECTION", value("requests")),
        row(5, "LEFTOVER", value("x")),
        row(6, "HTTP_COLLECTION", VariableState::Absent),
        row(7, "NEW_ONE", VariableState::Absent),
    ];
    all[3].staged = Some(value("requests_two"));
    all[4].declared = false;
    all[5].id = None;
    all[6].id = None;
    all[6].staged = Some(VariableState::Secret(9));
    all[6].secure = true;
    all
}

pub(crate) fn found() -> Found {
    let document = |n: u32| {
        json!({
            "_id": {"$oid": format!("66f0a1b2c3d4e5f6071829{n:02}")}, "id": format!("PR-5512-0934-7781-{n:03}"), "type": "purchase",
            "saved_at": {"$date": {"$numberLong": "1772619300000"}}, "quantity": {"$numberInt": "10"},
            "asset": {"id": "AS-5512-0934-7781", "params": [{"id": "region", "value": "eu\u{7}"}]}
        })
    };
    Found {
        database: "connect".into(),
        collection: "requests".into(),
        documents: (1..=3).map(document).collect(),
        more: false,
        micros: 1_900,
    }
}

/// Some event types; the runtime subscribes to those of purchases.
pub(crate) fn event_types() -> Vec<EventTypeRow> {
    let all = [
        ("asset_purchase_request_processing", "background"),
        ("tier_config_setup_request_processing", "background"),
        ("asset_purchase_request_validation", "interactive"),
        ("product_action_execution", "interactive"),
        ("scheduled_execution", "scheduled"),
    ];
    let row = |(name, category): (&str, &str)| EventTypeRow {
        name: name.into(),
        category: category.into(),
        subscribed: name.contains("purchase"),
    };
    all.into_iter().map(row).collect()
}

/// A delivery that comes again by itself.
pub(crate) fn waiting() -> Vec<WaitingRow> {
    let again = delivery(4, Some("reschedule"));
    vec![WaitingRow { task_id: again.task_id, object_id: again.object_id, event_type: again.event_type, due: at(306.0) }]
}

pub(crate) fn status() -> Status {
    Status {
        mode: "local".into(),
        environment_id: "ENV-1234-5678-01".into(),
        environment_status: Some("connected".into()),
        extension: "tutorial".into(),
        extension_version: "0.1.0".into(),
        link: LinkStatus { state: LinkState::Connected, last_seen: Some(at(11.0)) },
        running: 0,
        unsent: 0,
        waiting: 1,
        pending: 0,
        held: 0,
        armed: 0,
        changed: None,
        stepping: 0,
        endpoints: Vec::new(),
        troubles: Vec::new(),
        notes: Vec::new(),
        holding: false,
        data_dir: "data".into(),
        joined: false,
    }
}

pub(crate) fn empty(columns: u16, rows: u16) -> State {
    State::new(Theme::default(), TimeZone::UTC, (columns, rows), at(12.0))
}

/// Gives a message to the state, at the time it has.
pub(crate) fn tell(state: &mut State, message: Message) -> Vec<Effect> {
    let at = state.now;
    update(state, Timed { at, message })
}

/// A state into which everything typical has been read.
pub(crate) fn typical(columns: u16, rows: u16) -> State {
    let mut state = empty(columns, rows);
    tell(&mut state, Message::Started(Ok(())));
    tell(&mut state, Message::Reply(Ask::EventTypes, Ok(Reply::EventTypes { types: event_types() })));
    tell(&mut state, Message::Reply(Ask::Status, Ok(Reply::Status(Box::new(status())))));
    tell(&mut state, Message::Reply(Ask::Waiting, Ok(Reply::Waiting { tasks: waiting() })));
    fill(&mut state, deliveries());
    trace(&mut state, observations(8, false));
    let filter = state.logs.filter.clone();
    tell(&mut state, Message::Read(Answer::Logs(filter, logs())));
    tell(&mut state, Message::Reply(Ask::Variables, Ok(Reply::Variables { variables: variables(), message: None })));
    let collections = StoreReply::Collections {
        error: None,
        database: "connect".into(),
        collections: vec!["requests".into(), "requests_http".into()],
        own: Some("requests".into()),
        note: None,
        read_only: false,
    };
    tell(&mut state, Message::Reply(Ask::Collections, Ok(Reply::Store(collections))));
    let asked = state.storage.asked;
    tell(&mut state, Message::Reply(Ask::Documents(asked), Ok(Reply::Store(StoreReply::Documents(found())))));
    state
}

/// Answers the question for the deliveries.
pub(crate) fn fill(state: &mut State, rows: Vec<DeliveryRow>) -> Vec<Effect> {
    let (filter, span) = (state.events.filter(), state.events.span);
    let total = rows.len();
    let failures = rows.iter().filter(|d| matches!(d.result.as_deref(), Some("fail" | "retry"))).count();
    tell(state, Message::Read(Answer::Deliveries { filter, span, rows, reached: None, total, failures }))
}

/// Answers the question for the trace of the selected delivery.
pub(crate) fn trace(state: &mut State, rows: Vec<ObservationRow>) -> Vec<Effect> {
    let delivery = state.events.selected().cloned().map(Box::new);
    tell(state, Message::Read(Answer::Trace { delivery, rows, variables: Vec::new() }))
}

/// The value of a JSON text; for short tests.
pub(crate) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}
