//! What the HTTP front asks of the daemon.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use serde_json::Value;

use crate::api::Answering;
use crate::api::Backend;
use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::api::Refusal;
use crate::api::RefusalCode;
use crate::api::View;
use crate::daemon::service::Service;
use crate::daemon::worker::Command;
use crate::daemon::{metrics, views};

/// How long a lane may take to answer; it looks at its commands every batch.
const PATIENCE: Duration = Duration::from_secs(5);

impl Backend for Service {
    fn metrics(&self) -> String {
        metrics::render(&self.ledger().read(), || self.recorder().render())
    }

    fn unready(&self) -> Vec<String> {
        self.unready_reasons()
    }

    fn view(&self, view: View) -> Answering<'_, Value> {
        Box::pin(async move {
            match view {
                View::Exporters => {
                    let lanes = self.ask(Command::Exporters).await?;
                    Ok(views::exporters(lanes.into_iter().flatten()))
                }
                View::Templates => {
                    let lanes = self.ask(Command::Templates).await?;
                    Ok(views::templates(lanes.into_iter().flatten()))
                }
                View::FlowLogs => Ok(views::flow_logs(&self.table())),
                View::Stats => Ok(views::stats(&self.ledger().read(), self.store())),
                View::Parts => Ok(views::parts(self.store())),
            }
        })
    }

    fn query(&self, query: QueryRequest) -> Answering<'_, QueryAnswer> {
        Box::pin(self.answer(query))
    }
}

impl Service {
    /// Asks every lane the same and waits for all answers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        command: fn(Sender<T>) -> Command,
    ) -> Result<Vec<T>, Refusal> {
        let workers = Arc::clone(self.workers());
        let answers = tokio::task::spawn_blocking(move || {
            let (sender, receiver) = crossbeam_channel::unbounded();
            for worker in workers.iter() {
                worker.tell(command(sender.clone()));
            }
            let answers = workers.iter().map(|_| receiver.recv_timeout(PATIENCE));
            answers.collect::<Result<Vec<T>, _>>()
        });
        match answers.await {
            Ok(Ok(answers)) => Ok(answers),
            Ok(Err(_)) | Err(_) => Err(Refusal::new(
                RefusalCode::Busy,
                "a lane did not answer; try again",
            )),
        }
    }
}
