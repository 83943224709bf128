//! Records that came by way of another collector and name the exporter they
//! are of. P-223, P-700, P-705, RFC 7119.

use std::net::IpAddr;

use crate::session::Consumer;
use crate::session::DataSet;
use crate::session::Known;
use crate::session::Limits;
use crate::session::Plan;
use crate::session::Scope;
use crate::session::SourceId;
use crate::session::sources::Sources;
use crate::wire::Template;

/// The exporter that a record names as the one it is of.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Origin {
    /// Its address, IPv4-mapped ones as IPv4; never unspecified.
    pub exporter: IpAddr,
    /// Its Observation Domain (405), where the record has one.
    pub domain: Option<u32>,
    /// Whether it is named as the original exporter (403, 404), and not as an
    /// exporter (130, 131), as which many exporters name themselves.
    pub is_original: bool,
}

/// Whose records are taken to be those that name an origin.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Belief {
    /// Their sender's.
    Sender,
    /// The exporter's that they name.
    Origin,
    /// Nobody's: they are a second copy of what is here already (P-705).
    Copy,
}

/// What became of the records of one Data Set.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Given {
    /// Given to the consumer.
    pub(crate) taken: u32,
    /// Not given to it: too many a second (P-822).
    pub(crate) throttled: u32,
    /// Given to it as their sender's, for want of an id for who they name.
    pub(crate) unnamed: u32,
}

/// One Data Set on its way to the consumer, run by run of records that name
/// the same exporter.
#[derive(Debug)]
pub(crate) struct Parting<'a, P> {
    /// The sender's.
    pub(crate) scope: Scope<'a>,
    pub(crate) known: &'a Known<P>,
    pub(crate) sources: &'a mut Sources,
    pub(crate) limits: &'a Limits,
    pub(crate) now_ms: u64,
    /// Ms since 1970.
    pub(crate) unix_ms: u64,
    pub(crate) given: Given,
}

impl<P: Plan> Parting<'_, P> {
    /// Hands over all runs, in wire order.
    pub(crate) fn run(mut self, set: DataSet<'_>, consumer: &mut impl Consumer<P>) -> Given {
        let known = self.known;
        let mut origin = None;
        let (mut begin, mut end, mut records) = (0, 0, 0);
        for record in known.template.split(set.body).map_while(Result::ok) {
            let named = known.plan.origin(record);
            if named != origin {
                let body = set.body.get(begin..end).unwrap_or_default();
                let before = DataSet {
                    body,
                    records,
                    ..set
                };
                self.hand_over(origin, before, consumer);
                (origin, begin, records) = (named, end, 0);
            }
            end += record.len();
            records += 1;
        }
        let body = set.body.get(begin..end).unwrap_or_default();
        let last = DataSet {
            body,
            records,
            ..set
        };
        self.hand_over(origin, last, consumer);
        self.given
    }

    fn hand_over(
        &mut self,
        origin: Option<Origin>,
        set: DataSet<'_>,
        consumer: &mut impl Consumer<P>,
    ) {
        if set.records == 0 {
            return;
        }
        let sender = self.scope.exporter;
        let judged = origin.map(|origin| (origin, consumer.belief(sender, origin)));
        let scope = match judged {
            None | Some((_, Belief::Sender | Belief::Copy)) => self.scope,
            Some((origin, Belief::Origin)) => {
                let domain = origin.domain.unwrap_or(self.scope.domain);
                let source = self.source(origin.exporter, domain);
                self.given.unnamed += if source.is_none() { set.records } else { 0 };
                source.map_or(self.scope, |source| Scope {
                    source,
                    exporter: origin.exporter,
                    domain,
                    ..self.scope
                })
            }
        };
        let wanted = set.records;
        let granted = self
            .sources
            .grant(scope.source, wanted, self.now_ms, self.limits);
        let set = first(granted, set, &self.known.template);
        self.given.taken += set.records;
        self.given.throttled += wanted - granted;
        if scope.source != self.scope.source {
            let by = (sender, self.scope.domain);
            self.sources
                .note(scope.source, by, set.records, self.unix_ms);
        }
        match judged {
            Some((_, Belief::Copy)) => consumer.copy(&scope, self.known, set),
            _ => consumer.data(&scope, self.known, set),
        }
    }

    fn source(&mut self, exporter: IpAddr, domain: u32) -> Option<SourceId> {
        let reusable_before = self.now_ms.saturating_sub(self.limits.source_hold_ms);
        let max = self.limits.sources_max / 2;
        self.sources
            .expect(exporter, domain, max, (self.now_ms, reusable_before))
    }
}

/// No more than so many of a Data Set's records.
fn first<'a>(count: u32, set: DataSet<'a>, template: &Template) -> DataSet<'a> {
    if count >= set.records {
        return set;
    }
    let some = usize::try_from(count).unwrap_or(0);
    let records = template.split(set.body).map_while(Result::ok).take(some);
    let octets = records.map(<[u8]>::len).sum();
    DataSet {
        body: set.body.get(..octets).unwrap_or_default(),
        records: count,
        ..set
    }
}
