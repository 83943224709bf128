//! What a firewall's connection has counted already. P-501, P-502.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element::ElementId;
use crate::flow::Connection;
use crate::flow::Detail;
use crate::flow::Event;
use crate::flow::FlowRecord;
use crate::flow::RecordFlags;
use crate::session::SourceId;

/// Limits and wishes of [`Nsel`].
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NselSettings {
    /// Connections remembered, at least 2; the oldest are forgotten first.
    pub connections_max: usize,
    /// Extra elements that flows keep, as in `PlanSettings::wanted`.
    pub wanted: Vec<ElementId>,
}

impl Default for NselSettings {
    fn default() -> Self {
        Self {
            connections_max: 262_144,
            wanted: Vec::new(),
        }
    }
}

/// Memory of a lane's NSEL connections, so that none counts twice.
///
/// A firewall reports a connection's octets in updates, each since the one
/// before, and all of them once more at teardown; a short connection has only
/// the teardown. So a teardown counts if no update did, and an update that comes
/// after a teardown that counted does not. Order of arrival does not matter
/// where the teardown's total is the sum of the updates.
///
/// A connection is known by exporter and domain, id (148) and creation (152),
/// because ids are used again.
#[derive(Clone, Debug)]
pub struct Nsel {
    settings: NselSettings,
    /// Touched since the last turn; at most half of `connections_max`.
    young: HashMap<Key, Counted, RandomState>,
    /// Touched before that; given up as a whole when `young` is full.
    old: HashMap<Key, Counted, RandomState>,
    forgotten: u64,
    /// Whether the way there of the record at hand counted: so does its way back.
    counts: bool,
}

/// One connection in one of its lives.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
struct Key {
    source: SourceId,
    id: u64,
    created_ms: u64,
}

/// By what a connection was counted first.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Counted {
    Updates { last_ms: u64 },
    Teardown { at_ms: u64 },
}

impl Nsel {
    /// An empty memory; it grows to what `settings` allow.
    pub fn new(settings: NselSettings) -> Self {
        Self {
            settings,
            young: HashMap::default(),
            old: HashMap::default(),
            forgotten: 0,
            counts: false,
        }
    }

    /// Decides what a record counts and hands it on; to be called for records
    /// with [`RecordFlags::NSEL`], both halves of a connection one after the other.
    ///
    /// Updates that count and teardowns that count become flows; others stay
    /// events without counters, of which only the way there is handed on. A
    /// teardown without connection id stays an event.
    pub fn settle(
        &mut self,
        record: &FlowRecord,
        detail: Option<&Detail>,
        emit: &mut impl FnMut(&FlowRecord, Option<&Detail>),
    ) {
        if !record.flags.contains(RecordFlags::REVERSE) {
            self.counts = self.judge(record, detail.and_then(|detail| detail.connection));
        }
        let mut settled = *record;
        settled.flags = settled.flags.difference(RecordFlags::NSEL);
        if self.counts {
            settled.event = None;
            let kept = detail.and_then(|detail| self.of_flow(detail, record.event));
            emit(&settled, kept.as_ref());
        } else if !record.flags.contains(RecordFlags::REVERSE) {
            settled.event = record.event.or(Some(Event::NselUpdate));
            settled.octets = 0;
            settled.packets = 0;
            emit(&settled, detail);
        }
    }

    /// Connections given up for lack of room: a teardown of one of them that
    /// had updates counts once more.
    pub fn forgotten(&self) -> u64 {
        self.forgotten
    }

    /// Connections remembered.
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn judge(&mut self, record: &FlowRecord, connection: Option<Connection>) -> bool {
        let source = record.key.source;
        match (record.event, connection) {
            (None, None) => true,
            (None, Some(connection)) => self.update(source, connection),
            (Some(Event::NselTeardown), Some(connection)) => self.teardown(source, connection),
            (Some(Event::NselCreated), Some(connection)) => {
                self.created(source, connection);
                false
            }
            (Some(_), _) => false,
        }
    }

    /// An update counts unless the teardown has counted already.
    fn update(&mut self, source: SourceId, connection: Connection) -> bool {
        let key = Key::of(source, connection);
        let last_ms = match self.find(key) {
            Some(Counted::Teardown { .. }) => return false,
            Some(Counted::Updates { last_ms }) => last_ms.max(connection.event_ms),
            None => connection.event_ms,
        };
        self.put(key, Counted::Updates { last_ms });
        true
    }

    /// A teardown counts if nothing of the connection did.
    fn teardown(&mut self, source: SourceId, connection: Connection) -> bool {
        let key = Key::of(source, connection);
        if self.find(key).is_some() {
            return false;
        }
        let at_ms = connection.event_ms;
        self.put(key, Counted::Teardown { at_ms });
        true
    }

    /// Without a creation time only the creation tells one life of an id from
    /// the next; one that comes late must not (P-502).
    fn created(&mut self, source: SourceId, connection: Connection) {
        let key = Key {
            source,
            id: connection.id,
            created_ms: 0,
        };
        let before = |counted: &Counted| match *counted {
            Counted::Updates { last_ms } => last_ms < connection.event_ms,
            Counted::Teardown { at_ms } => at_ms < connection.event_ms,
        };
        if self.find(key).as_ref().is_some_and(before) {
            self.young.remove(&key);
            self.old.remove(&key);
        }
    }

    fn find(&self, key: Key) -> Option<Counted> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn put(&mut self, key: Key, counted: Counted) {
        let half = (self.settings.connections_max / 2).max(1);
        if self.young.len() >= half && !self.young.contains_key(&key) {
            std::mem::swap(&mut self.young, &mut self.old);
            self.forgotten += u64::try_from(self.young.len()).unwrap_or(u64::MAX);
            self.young.clear();
        }
        self.old.remove(&key);
        self.young.insert(key, counted);
    }

    /// What a flow keeps of a detail; `None` if that is nothing.
    fn of_flow(&self, detail: &Detail, event: Option<Event>) -> Option<Detail> {
        let mut kept = Detail {
            extra: Vec::new(),
            connection: None,
            ..*detail
        };
        // An update's are those of a flow already; a teardown has all elements.
        let is_kept = |(id, _): &&(ElementId, Box<[u8]>)| {
            event.is_none() || self.settings.wanted.contains(id)
        };
        kept.extra
            .extend(detail.extra.iter().filter(is_kept).cloned());
        (kept != Detail::default()).then_some(kept)
    }
}

impl Key {
    fn of(source: SourceId, connection: Connection) -> Self {
        Self {
            source,
            id: connection.id,
            created_ms: connection.created_ms,
        }
    }
}
