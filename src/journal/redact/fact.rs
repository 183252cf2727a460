use super::secrets::Secrets;
use super::{Redactor, names, placeholder};
use crate::observe::{Fact, SeenVariable};

/// Learns the secrets a fact carries.
pub(super) fn learn(redactor: &Redactor, fact: &Fact) {
    if let Fact::Configured { variables, .. } = fact {
        for variable in variables.iter().filter(|v| v.secure) {
            redactor.learn(&variable.name, &variable.value.as_str().into());
        }
    }
}

/// Takes the secrets out of every text in a fact. A new fact must say here which of its texts are names of the protocol.
pub(super) fn redact(secrets: &Secrets, fact: &mut Fact) {
    match fact {
        Fact::TaskQueued { .. } | Fact::ResultSent { .. } | Fact::RedeliveryScheduled { .. } | Fact::Variables { .. } => {}
        Fact::Pinned { .. } => {}
        Fact::Link { state: _, detail } | Fact::Marked { task_id: _, marks: _, detail } => secrets.text(detail),
        Fact::FrameRejected { reason, bytes: _, excerpt } => {
            names::in_frame(excerpt);
            secrets.texts([reason, excerpt]);
        }
        Fact::Extension { name, version, declared } => {
            secrets.texts([name, version]);
            secrets.value(declared);
        }
        Fact::Configured { message, update: _, variables } => {
            secrets.text(message);
            variables.iter_mut().for_each(|variable| seen(secrets, variable));
        }
        Fact::TaskArrived(task) => secrets.value(&mut task.task),
        Fact::ObjectFetched { object } => secrets.body(object),
        Fact::ApiCall(call) => {
            secrets.texts([&mut call.method, &mut call.path]);
            secrets.texts(call.content_range.iter_mut().chain(&mut call.error));
            call.request.iter_mut().for_each(|body| secrets.value(body));
            call.response.iter_mut().for_each(|body| secrets.body(body));
        }
        Fact::StepStarted { parent: _, step_kind: _, name, request } => {
            secrets.text(name);
            request.iter_mut().for_each(|request| secrets.value(request));
        }
        Fact::StepEnded { outcome: _, detail, request, micros: _ } => {
            secrets.texts(detail);
            request.iter_mut().for_each(|request| secrets.value(request));
        }
        Fact::Held { step_kind: _, name, request } => {
            secrets.text(name);
            request.iter_mut().for_each(|request| secrets.value(request));
        }
        Fact::Released { .. } => {}
        Fact::Injected { what } => secrets.text(what),
        Fact::StoreCall(call) => {
            secrets.texts([&mut call.operation, &mut call.database, &mut call.collection]);
            secrets.texts(&mut call.error);
            secrets.value(&mut call.input);
            call.output.iter_mut().for_each(|output| secrets.value(output));
        }
        Fact::Log { level: _, target, message } => secrets.texts([target, message]),
        Fact::Answered(answer) => {
            secrets.texts(&mut answer.message);
            answer.data.iter_mut().for_each(|data| secrets.value(data));
        }
        Fact::Interrupted { reason } | Fact::RunnerGone { reason } => secrets.text(reason),
        Fact::RunnerBack { instance } => secrets.text(instance),
    }
}

fn seen(secrets: &Secrets, variable: &mut SeenVariable) {
    if variable.secure {
        variable.value = placeholder(&variable.name);
    } else {
        secrets.text(&mut variable.value);
    }
}
