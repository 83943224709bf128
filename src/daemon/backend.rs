//! What the HTTP front asks of the daemon.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use serde_json::Value;

use crate::api::Answering;
use crate::api::Backend;
use crate::api::Page;
use crate::api::QueryAnswer;
use crate::api::QueryRequest;
use crate::api::Refusal;
use crate::api::RefusalCode;
use crate::api::View;
use crate::daemon::losses::Losses;
use crate::daemon::metrics::Scrape;
use crate::daemon::service::Service;
use crate::daemon::worker::Command;
use crate::daemon::{clock, metrics, views};
use crate::lane::Census;

/// How long a lane may take to answer; it looks at its commands every batch.
const PATIENCE: Duration = Duration::from_secs(5);

impl Backend for Service {
    fn metrics(&self) -> String {
        let exchange = self.exchange();
        let read = || {
            let reading = self.ledger().read();
            let bytes = exchange.bytes();
            Scrape::new(
                reading,
                bytes,
                self.store(),
                self.sender(),
                self.relays().totals(),
                self.connections(),
            )
        };
        let mut text = metrics::render(read, || self.recorder().render());
        text.push_str(&exchange.losses(|losses| self.exporters().render(losses)));
        text
    }

    fn unready(&self) -> Vec<String> {
        self.unready_reasons()
    }

    fn view(&self, view: View) -> Answering<'_, Value> {
        Box::pin(async move {
            match view {
                View::Exporters(page) => {
                    let lanes = self.ask(Command::Exporters).await?;
                    let shown = |losses: &Losses| views::exporters(lanes, page, losses);
                    Ok(self.exchange().losses(shown))
                }
                View::Templates(page) => self.templates(page).await,
                View::FlowLogs => Ok(views::flow_logs(&self.table())),
                View::Stats => Ok(views::stats(&self.ledger().read(), self.store())),
                View::Destinations => {
                    let journal = self.ingest().journal_stats();
                    Ok(views::destinations(&journal, &self.sender().stats()))
                }
                View::Parts => Ok(views::parts(self.store())),
            }
        })
    }

    fn query(&self, query: QueryRequest) -> Answering<'_, QueryAnswer> {
        Box::pin(self.answer(query))
    }
}

impl Service {
    /// Looks at all exporters, for the series of each.
    ///
    /// # Errors
    /// A lane is too busy to answer.
    pub(super) async fn look_at_exporters(&self) -> Result<Vec<Census>, Refusal> {
        let lanes = self.ask(Command::Exporters).await?;
        let table = self.table();
        let is_listed = |exporter| table.names(exporter);
        self.exchange().losses(|losses| {
            self.exporters()
                .note(&lanes, is_listed, losses, clock::unix_ms());
        });
        Ok(lanes)
    }

    /// A page of the Templates of all lanes: each adds what those before it
    /// left room for, so that no lane makes more than a page.
    async fn templates(&self, page: Page) -> Result<Value, Refusal> {
        let (mut total, mut views) = (0, Vec::new());
        for index in 0..self.workers().len() {
            let wanted = Page {
                offset: page.offset.saturating_sub(total),
                limit: page.limit.saturating_sub(views.len()),
                ..page
            };
            let command = move |answer| Command::Templates(wanted, answer);
            let answers = self.ask_some(index..index + 1, command).await?;
            for (count, found) in answers {
                total += count;
                views.extend(found);
            }
        }
        Ok(views::templates(total, views, page))
    }

    /// Asks every lane the same and waits for all answers.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        command: fn(Sender<T>) -> Command,
    ) -> Result<Vec<T>, Refusal> {
        self.ask_some(0..self.workers().len(), command).await
    }

    async fn ask_some<T: Send + 'static>(
        &self,
        lanes: Range<usize>,
        command: impl Fn(Sender<T>) -> Command + Send + 'static,
    ) -> Result<Vec<T>, Refusal> {
        let workers = Arc::clone(self.workers());
        let answers = tokio::task::spawn_blocking(move || {
            let workers = workers.get(lanes).unwrap_or_default();
            let (sender, receiver) = crossbeam_channel::unbounded();
            for worker in workers {
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
