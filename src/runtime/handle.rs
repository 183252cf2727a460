use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::task::JoinHandle;

use super::answer::{self, Handled};
use super::configuration::Configuration;
use super::dispatch::Category;
use super::limit::within;
use super::shared::{Job, Shared};
use super::{lookup, trace};
use crate::connect::Client;
use crate::extension::{Context, EventHandler, Handler, TaskInfo};
use crate::observe::{Body, Fact, Scope, Secret, StepKind, StepOutcome};
use crate::protocol::{Output, TaskResult};

/// Handles one task: looks up what it is about, calls the extension, says what came of it.
pub(super) async fn process(shared: &Shared, job: &Job) -> Handled {
    shared.ready().await;
    let category = Category::of(&job.task.options.task_category);
    let configuration = shared.configuration();
    let outcome = match category {
        Category::Background => background(shared, &configuration, job).await,
        Category::Interactive => interactive(shared, &configuration, job).await,
        Category::Scheduled => scheduled(shared, &configuration, job).await,
        Category::Unknown => Err(format!("this runtime doesn't handle {} tasks", job.task.options.task_category)),
    };
    outcome.unwrap_or_else(|report| Handled::broken(category, &job.task.input.event_type, report))
}

async fn background(shared: &Shared, configuration: &Configuration, job: &Job) -> Result<Handled, String> {
    let event_type = &job.task.input.event_type;
    let Some((handler, statuses)) = shared.extension.subscription(event_type).and_then(|s| match &s.handler {
        EventHandler::Background(handler) => Some((handler, &s.statuses)),
        EventHandler::Interactive(_) => None,
    }) else {
        return Err(format!("the extension has no background handler for {event_type}"));
    };
    let mut cx = context(shared, configuration, job);
    let reader = match &job.task.options.api_key {
        Some(key) => cx.client.with_key(&Secret::new(key.as_str())).map_err(|e| e.to_string())?,
        None => cx.client.clone(),
    };
    let Some(object) = lookup::object(&reader, configuration, &job.task.input, statuses).await? else {
        let message = format!("The request status does not match the supported statuses: {}.", statuses.join(","));
        return Ok(Handled::done(Output { result: TaskResult::Skip, message: Some(message), ..Output::default() }, 0.0));
    };
    job.scope.emit(Fact::ObjectFetched { object: object.clone() });
    add_installation(shared, job, &mut cx).await?;
    let call = Call { name: event_type, limit: shared.options.limits.background, scope: &job.scope };
    call.run(handler, cx, object, |answer| answer.output()).await
}

async fn interactive(shared: &Shared, configuration: &Configuration, job: &Job) -> Result<Handled, String> {
    let event_type = &job.task.input.event_type;
    let Some(EventHandler::Interactive(handler)) = shared.extension.subscription(event_type).map(|s| &s.handler) else {
        return Err(format!("the extension has no interactive handler for {event_type}"));
    };
    let mut cx = context(shared, configuration, job);
    add_installation(shared, job, &mut cx).await?;
    let call = Call { name: event_type, limit: shared.options.limits.interactive, scope: &job.scope };
    let data = job.task.input.data.clone().unwrap_or_default();
    call.run(handler, cx, data.into(), |answer| answer.output()).await
}

async fn scheduled(shared: &Shared, configuration: &Configuration, job: &Job) -> Result<Handled, String> {
    let mut cx = context(shared, configuration, job);
    let path = format!(
        "devops/services/{}/environments/{}/schedules/{}",
        shared.service_id(),
        shared.options.environment_id,
        super::template::encoded(&job.task.input.object_id)
    );
    let schedule = cx.client.fetch(&path).await.map_err(|e| e.to_string())?;
    job.scope.emit(Fact::ObjectFetched { object: schedule.clone() });
    let method = schedule.text_of(&["method"]).unwrap_or_default();
    let Some(handler) = shared.extension.scheduled(&method) else {
        return Err(format!("the schedule calls for the method `{method}`, which the extension doesn't offer"));
    };
    add_installation(shared, job, &mut cx).await?;
    let call = Call { name: &method, limit: shared.options.limits.scheduled, scope: &job.scope };
    call.run(handler, cx, schedule, |answer| answer.output()).await
}

/// What the handler is given, with a client that names the task in its headers.
fn context(shared: &Shared, configuration: &Configuration, job: &Job) -> Context {
    let (options, input) = (&job.task.options, &job.task.input);
    let extension_id = shared.service_id();
    let trace = options.connect_correlation_id.as_deref().and_then(trace::traceparent);
    let named = [("eaas_ext_id", &*extension_id), ("eaas_task_id", &options.task_id), ("eaas_task_type", &input.event_type)];
    let mut client = shared.client.with_headers(&named).with_scope(job.scope.clone());
    if let Some(trace) = trace {
        client = client.with_header("ext-traceparent", &trace);
    }
    let task = TaskInfo {
        task_id: options.task_id.clone(),
        category: options.task_category.clone(),
        event_type: input.event_type.clone(),
        object_id: input.object_id.clone(),
        extension_id,
        environment_id: shared.options.environment_id.clone(),
        environment_type: configuration.environment_type.as_ref().into(),
    };
    let config = configuration.config.clone();
    Context { task, config, client, scope: job.scope.clone(), installation: None, installation_client: None }
}

/// In a multi-account extension: the installation, and a client with its key.
async fn add_installation(shared: &Shared, job: &Job, cx: &mut Context) -> Result<(), String> {
    let options = &job.task.options;
    if let Some(id) = &options.installation_id {
        let installation: Result<Value, _> = lookup::installation(&cx.client, &shared.service_id(), id).await;
        cx.installation = Some(installation.map_err(|e| e.to_string())?);
    }
    if let Some(key) = &options.api_key {
        let client: Client = cx.client.with_key(&Secret::new(key.as_str())).map_err(|e| e.to_string())?;
        cx.installation_client = Some(client);
    }
    Ok(())
}

/// One call of a handler.
struct Call<'a> {
    name: &'a str,
    limit: Duration,
    scope: &'a Scope,
}

impl Call<'_> {
    /// Calls the handler in a task of its own: it may panic or hang, even without ever yielding, and takes nothing
    /// with it.
    async fn run<R: Send + 'static>(
        self,
        handler: &Handler<R>,
        cx: Context,
        object: Body,
        output: impl Fn(&R) -> Output,
    ) -> Result<Handled, String> {
        let step = self.scope.step(StepKind::Handler, self.name, None);
        let since = Instant::now();
        let handler = Handler::clone(handler);
        let work = step.run(async move { handler(cx, object).await });
        let mut running = AbortOnDrop(tokio::spawn(work));
        let report = match within(self.limit, self.scope, &mut running.0).await {
            Ok(Ok(Ok(answer))) => {
                let output = output(&answer);
                step.end(StepOutcome::Done, Some(output.result.as_str().into()), None);
                return Ok(Handled::done(output, since.elapsed().as_secs_f64()));
            }
            Ok(Ok(Err(error))) => answer::report(&*error),
            Ok(Err(join)) => match join.try_into_panic() {
                Ok(payload) => answer::panic_report(&*payload),
                Err(_) => "it was cancelled".into(),
            },
            Err(_) => format!("it did not answer within {} s", self.limit.as_secs_f64()),
        };
        let report = format!("{}: {report}", self.name);
        step.end(StepOutcome::Failed, Some(report.clone()), None);
        Err(report)
    }
}

struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
