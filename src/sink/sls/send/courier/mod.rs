//! One batch on its way to the service, until its rows are settled or given back.

mod attempt;
mod follow;
mod leave;
mod setback;

use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use super::Trouble;
use super::Way;
use super::budget::Charge;
use super::collect::Parcel;
use super::course::Course;
use super::course::Lane;
use super::shared::Shared;
use super::shared::random;
use super::stats::Desk;
use crate::sink::sls::Batch;
use crate::sink::sls::Body;
use crate::sink::sls::Delivery;
use crate::sink::sls::FieldChoice;
use crate::sink::sls::Piece;
use crate::sink::sls::TimeWindow;
pub(super) use setback::Setback;

/// Brings one batch to the service.
///
/// It waits for what passes soon. Before a longer wait it gives back what is
/// not settled, so that a destination in trouble holds no memory, and its
/// outlet asks again later with one request at a time.
pub(super) struct Courier {
    shared: Arc<Shared>,
    desk: Arc<Desk>,
    course: Arc<Mutex<Course>>,
    delivery: Delivery,
    /// The rows of the delivery's pieces; the last is next.
    pieces: Vec<Arc<Batch>>,
    /// The next piece as it is sent.
    packed: Option<Body>,
    ended: Ended,
    _charge: Charge,
}

/// What became of a batch.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) lane: Lane,
    /// The hash key it was sent with.
    pub(super) shard: Option<u128>,
    /// Rows that are not settled.
    pub(super) left: Vec<Range<u64>>,
    /// Whether the service took some.
    pub(super) was_heard: bool,
    /// Why rows are left.
    pub(super) setback: Option<Setback>,
    pub(super) fields: Arc<FieldChoice>,
}

impl Courier {
    /// Takes a parcel of a destination that failed so often before.
    pub(super) fn new(
        shared: Arc<Shared>,
        desk: Arc<Desk>,
        course: Arc<Mutex<Course>>,
        parcel: Parcel,
        failures: u32,
    ) -> Self {
        let shard = parcel.shard();
        let Parcel {
            lane,
            batch,
            fields,
            charge,
        } = parcel;
        let rows = u32::try_from(batch.rows()).unwrap_or(u32::MAX);
        let delivery = Delivery::new(0..rows, shared.settings.patience);
        Self {
            shared,
            desk,
            course,
            delivery: delivery.after_failures(failures),
            pieces: vec![Arc::new(batch)],
            packed: None,
            ended: Ended {
                lane,
                shard,
                left: Vec::new(),
                was_heard: false,
                setback: None,
                fields,
            },
            _charge: charge,
        }
    }

    /// Sends until all rows are settled, or there is reason to give them back.
    pub(super) async fn run(mut self) -> Ended {
        while let Some(piece) = self.delivery.piece().cloned() {
            if let Err(setback) = self.send(piece).await {
                self.ended.setback = Some(setback);
                break;
            }
        }
        let left = self.pieces.iter().flat_map(|batch| batch.seqs().to_vec());
        self.ended.left = left.collect();
        self.ended
    }

    /// Sends the next piece once, when it is due, and does what follows.
    async fn send(&mut self, piece: Piece) -> Result<(), Setback> {
        self.shared.clock.reach(self.delivery.due()).await;
        let route = self.shared.route(&self.desk.destination);
        let way = route.map_err(|trouble| self.slowly(trouble))?;
        let body = self.pack(&piece, &way).await?;
        let attempt = self.attempt(&way, body).await?;
        self.follow(&way, attempt).await
    }

    /// The piece as it is sent, made once.
    async fn pack(&mut self, piece: &Piece, way: &Way) -> Result<Body, Setback> {
        if let Some(body) = &self.packed {
            return Ok(body.clone());
        }
        let Some(batch) = self.pieces.last_mut() else {
            return Ok(Body::default());
        };
        if piece.clamp {
            let now_s = way.skew.corrected(self.shared.unix_s());
            Arc::make_mut(batch).clamp(TimeWindow::around(now_s));
        }
        let packed = self.shared.packed(Arc::clone(batch)).await;
        let body = packed.map_err(|trouble| self.slowly(trouble))?;
        self.packed = Some(body.clone());
        Ok(body)
    }

    /// A setback that only an operator ends.
    fn slowly(&self, trouble: Trouble) -> Setback {
        let failures = self.delivery.failures().saturating_add(1);
        let slow = self.shared.settings.patience.slow;
        let until = self.shared.clock.now() + slow.wait(failures, random(), None);
        Setback {
            failures,
            ..self.setback(trouble, until)
        }
    }

    fn setback(&self, trouble: Trouble, until: Duration) -> Setback {
        Setback {
            trouble,
            until,
            failures: self.delivery.failures(),
            missing: None,
        }
    }
}

/// How long a batch is kept in memory for something to pass.
const KEEP_MAX: Duration = Duration::from_secs(2);
