//! The journal as its users see it.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use bytes::Bytes;

use super::error::CommitError;
use super::error::DestinationError;
use super::error::Fault;
use super::error::OpenError;
use super::error::ReadError;
use super::error::Refused;
use super::error::SnapshotError;
use super::frame::DestinationId;
use super::frame::Frame;
use super::frame::Kind;
use super::frame::Share;
use super::fs::Fs;
use super::read::Sight;
use super::read::Step;
use super::recover::Recovered;
use super::recover::recover;
use super::settings::Settings;
use super::snapshot;
use super::snapshot::SnapshotWriter;
use super::state::State;
use super::stats::Stats;

/// A durable, bounded, append-only log with progress per destination.
///
/// All calls may come from any thread. `append`, `next` and `ack` write at
/// most to the page cache, except that now and then `append` creates a segment
/// or makes room for one; `commit` and `persist_progress` wait for the disk,
/// without keeping the others waiting.
pub struct Journal {
    state: Mutex<State>,
    /// One commit at a time.
    turn: Mutex<()>,
    disk: Arc<dyn Fs>,
    uuid: [u8; 16],
    _lock: Box<dyn Send + Sync>,
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut debug = formatter.debug_struct("Journal");
        debug.field("disk", &self.disk).finish_non_exhaustive()
    }
}

impl Journal {
    /// Opens the journal in a directory, makes one where there is none, and
    /// recovers from whatever befell it.
    ///
    /// # Errors
    /// `Locked` by another process, `Newer` format, or a directory that cannot
    /// be used at all. Damage is no error.
    pub fn open(settings: Settings, disk: impl Fs) -> Result<(Self, Recovered), OpenError> {
        let disk: Arc<dyn Fs> = Arc::new(disk);
        let lock = disk.lock()?;
        let (state, recovered) = recover(settings.checked(), Arc::clone(&disk))?;
        let journal = Self {
            uuid: state.uuid,
            state: Mutex::new(state),
            turn: Mutex::new(()),
            disk,
            _lock: lock,
        };
        Ok((journal, recovered))
    }

    /// The journal's own number: the first half of a `flow-id`.
    pub fn id(&self) -> u64 {
        let (first, _) = self.uuid.split_first_chunk().unwrap_or((&[0; 8], &[]));
        u64::from_be_bytes(*first)
    }

    /// The id of a destination, a new one where the name is new. It is durable
    /// with the first rows that have it.
    ///
    /// # Errors
    /// A name of no or more than 512 octets, or one too many.
    pub fn destination(&self, name: &str) -> Result<DestinationId, DestinationError> {
        self.state().destination(name)
    }

    /// Whoever appends a destination's rows delivers them too, from now on: what
    /// is appended counts as given out, and no memory is kept for it. What an
    /// earlier run appended is to be read to the end before anything of it is
    /// acknowledged; any number of its rows may be under way.
    pub fn deliver_directly(&self, destination: DestinationId) {
        if let Some(destination) = self.state().of_mut(destination) {
            destination.is_direct = true;
        }
    }

    /// Takes a frame and gives the number of its first row. Rows of several
    /// shares may be the same.
    ///
    /// The frame is durable after the next [`Journal::commit`] that succeeds.
    ///
    /// # Errors
    /// Why it was not taken; its shares then count as refused.
    pub fn append(
        &self,
        kind: Kind,
        shares: &[Share],
        body: Bytes,
        now_ms: u64,
    ) -> Result<u64, Refused> {
        let taken = self.state().append(kind, shares, body.clone(), now_ms);
        let taken = match taken {
            // Not the disk is slow but the commits are rare: that can be helped.
            Err(Refused::MemoryFull) if self.commit().is_ok() => {
                self.state().append(kind, shares, body, now_ms)
            }
            taken => taken,
        };
        if taken.is_err() {
            self.state().count_refused(shares);
        }
        taken
    }

    /// Makes all frames durable that were appended before the call. Gives the
    /// first number that is not.
    ///
    /// # Errors
    /// What keeps the journal from writing. The rows stay in memory, are read
    /// from there, and are written by a later commit.
    pub fn commit(&self) -> Result<u64, CommitError> {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..SYNC_TRIES {
            let (written, unsynced) = {
                let mut state = self.state();
                (state.write_pending(), state.unsynced())
            };
            let synced = unsynced.sync();
            let mut state = self.state();
            if synced.is_err() {
                state.note_sync_failed();
                continue;
            }
            state.note_synced(&unsynced);
            state.fault = written.err();
            return written.map(|()| state.durable_to).map_err(CommitError);
        }
        Err(CommitError(Fault::Io))
    }

    /// The first frame with rows of a destination after the row `after` that
    /// are not acknowledged; 0 is before all. Only durable rows are given out,
    /// except while the disk takes none.
    ///
    /// # Errors
    /// `Scattered` where too much is under way, never for the oldest rows; or
    /// as the system says.
    pub fn next(&self, destination: DestinationId, after: u64) -> Result<Option<Frame>, ReadError> {
        self.find(destination, after.saturating_add(1), Sight::Reader)
    }

    /// The first number that [`Journal::next`] does not give yet: what is
    /// appended from now on has it or a later one.
    pub fn visible_to(&self) -> u64 {
        self.state().visible_to()
    }

    /// Notes that rows of a destination are delivered; rows of others in the
    /// range do not matter.
    pub fn ack(&self, destination: DestinationId, rows: Range<u64>) {
        let rows = rows.start.max(1)..rows.end.min(self.state().next_seq);
        let mut from = rows.start;
        while from < rows.end {
            let state = self.state();
            let mut known = state.of(destination).into_iter();
            if known.any(|destination| destination.knows(&(from..rows.end))) {
                break;
            }
            drop(state);
            // What each share stands for has to be known.
            match self.find(destination, from, Sight::Everything) {
                Ok(Some(frame)) => from = frame.rows().end,
                Ok(None) | Err(_) => break,
            }
        }
        self.state().acknowledge(destination, &rows);
    }

    /// Makes progress durable, then removes the segments nobody needs. To be
    /// called at least every second.
    ///
    /// # Errors
    /// As the system says; the progress made durable before still is.
    pub fn persist_progress(&self) -> io::Result<()> {
        let (mut slots, progress, free) = {
            let mut state = self.state();
            let Some(slots) = state.slots.take() else {
                // Another thread is at it.
                return Ok(());
            };
            let (progress, free) = state.progress();
            (slots, progress, free)
        };
        let written = slots.write(&*self.disk, &progress);
        let mut state = self.state();
        state.slots = Some(slots);
        state.note_persisted(written, &free)
    }

    /// The journal's state. Terms of a destination's amounts are of one moment.
    pub fn stats(&self, now_ms: u64) -> Stats {
        self.state().stats(now_ms)
    }

    /// Begins a snapshot as of the first number that rows can have which are
    /// appended from now on. From there on, or from where the one kept now
    /// begins, rows stay until the next is saved, so that
    /// [`Journal::rows_since`] finds them.
    ///
    /// # Errors
    /// As the system says.
    pub fn begin_snapshot(&self) -> io::Result<SnapshotWriter> {
        let mut state = self.state();
        let seq = state.next_seq;
        state.wanted_from = state.wanted_from.min(seq);
        drop(state);
        SnapshotWriter::begin(&*self.disk, seq)
    }

    /// Removes the snapshot: there is nothing to resume any more.
    ///
    /// # Errors
    /// As the system says; it may be there again at the next start.
    pub fn remove_snapshot(&self) -> io::Result<()> {
        snapshot::remove(&*self.disk)?;
        self.state().note_snapshot(0, u64::MAX);
        Ok(())
    }

    /// Shows all frames that earlier runs appended from the row `seq` on,
    /// delivered or not, whoever's they are; whether none is missing that
    /// somebody may have got.
    ///
    /// # Errors
    /// As the system says.
    pub fn rows_since(&self, seq: u64, see: impl FnMut(Kind, Bytes)) -> io::Result<bool> {
        let since = self.state().since(seq);
        since.read(see)
    }

    /// Keeps a snapshot in place of the one kept before.
    ///
    /// # Errors
    /// As the system says; what was kept before still is.
    pub fn save_snapshot(&self, snapshot: &SnapshotWriter) -> io::Result<()> {
        snapshot.save(&*self.disk)?;
        let mut state = self.state();
        state.note_snapshot(snapshot.file_len(), snapshot.seq());
        Ok(())
    }

    /// What the last process kept that did not end clean. It stays on disk
    /// until the next is saved, so that a crash right after does not lose it.
    ///
    /// # Errors
    /// There is one, of which nothing can be read.
    pub fn take_snapshot(&self) -> Result<Option<(u64, Bytes)>, SnapshotError> {
        snapshot::read(&*self.disk)
    }

    /// The clean end: makes everything durable and removes the snapshot. To be
    /// called when every flow that was open is a row.
    ///
    /// # Errors
    /// What is not durable; the snapshot is then still there.
    pub fn close(&self) -> io::Result<()> {
        self.commit().map_err(io::Error::other)?;
        self.persist_progress()?;
        self.remove_snapshot()
    }

    fn find(
        &self,
        destination: DestinationId,
        mut from: u64,
        sight: Sight,
    ) -> Result<Option<Frame>, ReadError> {
        loop {
            let place = match self.state().step(destination, from, sight)? {
                Step::Nothing => return Ok(None),
                Step::Found(frame) => return Ok(Some(frame)),
                Step::GoOn(row) => {
                    from = row;
                    continue;
                }
                Step::Look(place) => place,
            };
            let seen = match place.look(destination) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.state().note_missing(&place);
                    from = place.seqs.end;
                    continue;
                }
                seen => seen?,
            };
            match self.state().note_seen(destination, &place, seen, sight)? {
                Ok(frame) => return Ok(Some(frame)),
                Err(row) => from = row,
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Times a commit goes on after a failed sync, each with new files.
const SYNC_TRIES: usize = 3;
