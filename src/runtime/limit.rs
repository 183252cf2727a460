use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::observe::Scope;

/// Longer than this nobody waits: what is beyond it no clock can tell.
const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 60 * 60);

/// The limit is over.
#[derive(Debug)]
pub(super) struct Elapsed;

/// Waits for `work` no longer than `limit`; the time the delivery stands at a breakpoint does not count.
pub(super) async fn within<F: Future + Unpin>(limit: Duration, scope: &Scope, mut work: F) -> Result<F::Output, Elapsed> {
    let (Some(controls), Some(key)) = (scope.controls(), scope.key()) else {
        return tokio::time::timeout(limit, work).await.map_err(|_| Elapsed);
    };
    let mut changes = controls.changes();
    let mut deadline = Instant::now() + limit.min(LONGEST);
    loop {
        changes.borrow_and_update();
        let held = controls.holds(key);
        let since = Instant::now();
        tokio::select! {
            biased;
            done = &mut work => return Ok(done),
            // The sender lives as long as the scope.
            _ = changes.changed() => {}
            () = sleep_until(deadline), if !held => return Err(Elapsed),
        }
        if held {
            deadline += since.elapsed();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::observe::control::{Place, Release};
    use crate::observe::{Controls, DeliveryKey, Observation, Observer, StepKind};

    const LIMIT: Duration = Duration::from_millis(500);

    struct Stops(Controls);

    impl Observer for Stops {
        fn observe(&self, _: Observation) {}

        fn controls(&self) -> Option<Controls> {
            Some(self.0.clone())
        }
    }

    #[tokio::test]
    async fn the_time_at_a_breakpoint_does_not_count_and_all_other_time_does() {
        let controls = Controls::default();
        let scope = Scope::new(Arc::new(Stops(controls.clone()))).delivery(DeliveryKey::random());
        let breakpoint = controls.stop_before(Place::default());
        let (inside, asking) = (scope.clone(), controls.clone());
        let work = Box::pin(async move { asking.before(&inside, StepKind::Execute, "x", || None).await });
        let mut changes = controls.changes();
        let elsewhere = Scope::new(Arc::new(Stops(controls.clone()))).delivery(DeliveryKey::random());
        let letting_go = tokio::spawn(async move {
            let standing = changes.wait_for(|_| !controls.set().held.is_empty());
            drop(tokio::time::timeout(Duration::from_secs(20), standing).await.unwrap().unwrap());
            // What does not stand runs out of the same limit meanwhile.
            assert!(within(LIMIT, &elsewhere, Box::pin(std::future::pending::<()>())).await.is_err());
            let held = *controls.set().held.keys().next().unwrap();
            controls.take_back(breakpoint);
            controls.release(held, Release::Continue);
        });
        assert!(within(LIMIT, &scope, work).await.is_ok());
        letting_go.await.unwrap();
        let slow = Box::pin(std::future::pending::<()>());
        assert!(within(Duration::from_millis(50), &scope, slow).await.is_err());
        assert!(within(Duration::MAX, &scope, std::future::ready(())).await.is_ok(), "a limit no clock can tell");
    }
}
