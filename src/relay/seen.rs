//! What is seen of the frames that pass, and which of them pass.

use super::line::Line;
use crate::observe::{Fact, Level, SeenVariable};
use crate::protocol::{Message, SetupRequest, SetupResponse, Task, decode, excerpt};
use crate::runtime::in_flight::{Arrival, key_of};
use crate::runtime::outbox::Outgoing;
use crate::runtime::session::arrived;

/// What is to be done with a frame of Connect.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromConnect {
    /// It goes on.
    Pass,
    /// The configuration: it goes on, and the way is open now.
    Configuration,
    /// It does not go on.
    Keep,
}

/// What is to be done with a frame of the guest.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FromGuest {
    /// It goes on.
    Pass,
    /// The introduction: it goes on, now and on every new connection to Connect.
    Introduction,
    /// The guest says good-bye: it goes on.
    Farewell,
    /// A result: the outbox has it.
    Kept,
}

impl Line {
    /// Takes note of a frame that came from Connect. `update`: it is not the first of its connection.
    pub(super) fn see_from_connect(&mut self, text: &str, update: bool) -> FromConnect {
        match decode(text) {
            Ok(Message::Task(task)) if task.output.is_none() => self.task(&task),
            Ok(Message::SetupResponse(response)) => {
                self.configuration(*response, update);
                FromConnect::Configuration
            }
            Ok(Message::Shutdown) => {
                self.shared.scope.log(Level::Info, super::TARGET, "Connect asked the extension to stop");
                FromConnect::Pass
            }
            Ok(_) => FromConnect::Pass,
            Err(error) => {
                self.reject("Connect", &error, text);
                FromConnect::Pass
            }
        }
    }

    fn task(&mut self, task: &Task) -> FromConnect {
        let id = &task.options.task_id;
        if self.in_flight.begin(&task.options) != Arrival::New {
            let line = format!("task {id} came again while it was being answered: it is answered once");
            self.shared.scope.log(Level::Warning, super::TARGET, line);
            return FromConnect::Keep;
        }
        self.in_hand.insert(key_of(&task.options), id.clone());
        self.shared.foreign.sent(&self.way.instance, &task.options.task_id, || arrived(task));
        FromConnect::Pass
    }

    fn configuration(&self, response: SetupResponse, update: bool) {
        let seen = |v: crate::protocol::Variable| SeenVariable { name: v.name, value: v.value, secure: v.secure };
        let variables: Vec<SeenVariable> = response.variables.into_iter().flatten().map(seen).collect();
        if self.way.introduces() {
            self.shared.foreign.configured(&self.way.instance, update, variables.clone());
        }
        self.shared.configured(variables);
    }

    /// Takes note of a frame that came from the guest.
    pub(super) fn see_from_guest(&mut self, text: &str) -> FromGuest {
        match decode(text) {
            Ok(Message::Task(task)) if task.output.is_some() => self.result(task),
            Ok(Message::SetupRequest(request)) => {
                self.introduction(&request);
                FromGuest::Introduction
            }
            Ok(Message::Shutdown) => FromGuest::Farewell,
            Ok(_) => FromGuest::Pass,
            Err(error) => {
                self.reject("the runner", &error, text);
                FromGuest::Pass
            }
        }
    }

    fn result(&mut self, task: Box<Task>) -> FromGuest {
        self.in_hand.remove(&key_of(&task.options));
        let output = task.output.clone().unwrap_or_default();
        let scope = self.shared.foreign.answered(&task.options.task_id, &output).unwrap_or_else(|| self.shared.scope.clone());
        // The other end is in this very line.
        let _ = self.results.send(Outgoing { task, scope });
        FromGuest::Kept
    }

    fn introduction(&self, request: &SetupRequest) {
        if self.way.introduces() {
            self.shared.foreign.introduced(&self.way.instance, request);
            let declared = request.variables.iter().flatten().map(|v| (v.name.clone(), v.secure)).collect();
            self.shared.declares(declared);
        }
    }

    /// A frame nobody here understands goes on all the same: it may be meant for somebody who does.
    fn reject(&self, whose: &str, error: &crate::protocol::DecodeError, text: &str) {
        let reason = format!("from {whose}, passed on as it is: {error}");
        self.shared.scope.emit(Fact::FrameRejected { reason, bytes: text.len(), excerpt: excerpt(text) });
    }
}
