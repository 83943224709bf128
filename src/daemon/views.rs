//! The admin API's views as JSON.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::api;
use crate::api::Page;
use crate::cache::CacheType;
use crate::daemon::ledger::Reading;
use crate::daemon::losses::{Losses, Lost, Place};
use crate::flow::Amount;
use crate::flowlog::Inactive;
use crate::flowlog::RoutingTable;
use crate::journal;
use crate::journal::DestinationId;
use crate::journal::Fault;
use crate::lane::Census;
use crate::logstore::LogStore;
use crate::session::ExporterView;
use crate::session::OriginView;
use crate::session::TemplateView;
use crate::session::Trust;
use crate::sink::CollectorReading;
use crate::sink::Destination;
use crate::sink::sls::OutletStats;
use crate::wire::Reason;
use crate::wire::TemplateKind;
use crate::wire::Version;

/// Who sends, and what is known of them: established ones first, then by
/// address, so that pages do not change with every datagram.
///
/// Beneath a mediator are those whose records it sends, as an exporter that
/// is asked for may be.
pub(super) fn exporters(lanes: Vec<Census>, page: Page, losses: &Losses) -> Value {
    let mut origins: BTreeMap<_, Vec<OriginView>> = BTreeMap::new();
    let mut views = Vec::new();
    for lane in lanes {
        views.extend(lane.exporters);
        for origin in lane.origins {
            origins.entry(origin.mediator).or_default().push(origin);
        }
    }
    let is_asked_for = |address| page.exporter.is_none_or(|exporter| exporter == address);
    views.retain(|view| {
        let behind = origins.get(&(view.peer.exporter, view.domain));
        let mut behind = behind.into_iter().flatten();
        is_asked_for(view.peer.exporter) || behind.any(|origin| is_asked_for(origin.exporter))
    });
    views.sort_by_key(|view| {
        let peer = view.peer;
        let is_new = view.standing != Trust::Established;
        (
            is_new,
            peer.exporter,
            view.domain,
            peer.port,
            peer.local_port,
        )
    });
    let part = views.iter().skip(page.offset).take(page.limit);
    let part = part.map(|view| {
        let address = view.peer.exporter;
        let behind = origins.get(&(address, view.domain)).map(Vec::as_slice);
        let mut behind = behind.unwrap_or_default().to_vec();
        if !is_asked_for(address) {
            behind.retain(|origin| is_asked_for(origin.exporter));
        }
        exporter(view, behind, losses.of(address))
    });
    paged("exporters", page, views.len(), part.collect())
}

/// A part of a view, and how much there is of it.
fn paged(name: &str, page: Page, total: usize, part: Value) -> Value {
    json!({"total": total, "offset": page.offset, name: part})
}

fn exporter(view: &ExporterView, behind: Vec<OriginView>, lost: Lost) -> Value {
    let faults = Reason::LABELS.iter().zip(view.faults);
    let faults: Map<String, Value> = faults
        .filter(|(_, count)| *count > 0)
        .map(|(why, count)| ((*why).to_owned(), count.into()))
        .collect();
    let statistics: Map<String, Value> = view
        .statistics
        .iter()
        .map(|&(element, value)| (element.to_string(), value.into()))
        .collect();
    let sampling = view
        .sampling
        .map(|rate| json!({"out_of": rate.out_of, "picked": rate.picked}));
    json!({
        "exporter": view.peer.exporter,
        "port": view.peer.port,
        "local_port": view.peer.local_port,
        "version": version(view.version),
        "domain": view.domain,
        "standing": view.standing.label(),
        "last_seen_ms": view.last_seen_unix_ms,
        "messages": view.messages,
        "records": view.records,
        "records_throttled": view.records_throttled,
        "sets_without_template": view.missing_sets,
        "templates": view.templates,
        "sequence": {
            "lost": view.sequence.lost,
            "pending": view.sequence_pending,
            "duplicates": view.sequence.duplicates,
        },
        "restarts": view.restarts,
        "faults": faults,
        "sampling": sampling,
        "active_s": view.active_secs,
        "inactive_s": view.inactive_secs,
        "statistics": statistics,
        "clock_offset_ms": view.clock_offset_ms,
        "origins_total": behind.len(),
        "origins": origins(behind),
        "dropped": dropped(lost),
    })
}

/// Exporters behind a mediator, by address and domain, as many as a page has entries.
fn origins(mut views: Vec<OriginView>) -> Value {
    views.sort_by_key(|view| (view.exporter, view.domain));
    let shown = views.iter().take(Page::LIMIT_MAX).map(|view| {
        json!({
            "exporter": view.exporter,
            "domain": view.domain,
            "records": view.records,
            "last_seen_ms": view.last_seen_unix_ms,
        })
    });
    shown.collect()
}

/// What was dropped of all that an address sent, by place.
fn dropped(lost: Lost) -> Map<String, Value> {
    let places = Place::ALL.into_iter();
    places
        .filter(|place| lost[*place] != Amount::default())
        .map(|place| (place.label().to_owned(), json!(lost[place])))
        .collect()
}

/// Which Templates are known, each page by exporter, domain and id.
pub(super) fn templates(total: usize, mut views: Vec<TemplateView>, page: Page) -> Value {
    views.sort_by_key(|view| (view.peer.exporter, view.domain, view.id, view.peer.port));
    let part = views.iter().map(template);
    paged("templates", page, total, part.collect())
}

fn template(view: &TemplateView) -> Value {
    let fields = view
        .fields
        .iter()
        .map(|field| json!({"element": field.element.to_string(), "length": field.length}));
    json!({
        "exporter": view.peer.exporter,
        "port": view.peer.port,
        "version": version(view.version),
        "domain": view.domain,
        "id": view.id,
        "kind": match view.kind {
            TemplateKind::Data => "data",
            TemplateKind::Options => "options",
        },
        "scopes": view.scopes,
        "fields": fields.collect::<Value>(),
        "usable": view.usable,
        "from_last_run": view.imported,
        "age_ms": view.age_ms,
        "lifetime_ms": view.lifetime_ms,
    })
}

fn version(version: Version) -> u8 {
    match version {
        Version::V5 => 5,
        Version::V9 => 9,
        Version::Ipfix => 10,
    }
}

/// Flow logs in force, with the devices they serve.
pub(super) fn flow_logs(table: &RoutingTable) -> Value {
    let routes = table.routes().map(|route| {
        let log = &route.flow_log;
        let (inactive, is_auto) = match log.timers.inactive() {
            Inactive::Fixed(period) => (period, false),
            Inactive::Auto(floor) => (floor, true),
        };
        json!({
            "name": log.name,
            "project": log.project,
            "logstore": log.logstore,
            "instance_id": route.instance_id,
            "snid": route.snid,
            "ali_uid": route.ali_uid,
            "generation": route.generation,
            "active_s": log.timers.active().as_secs(),
            "inactive_s": inactive.as_secs(),
            "inactive_auto": is_auto,
            "cached": log.cache != CacheType::Immediate,
        })
    });
    routes.collect()
}

/// All accounts, and what of them does not add up (nothing, ever).
pub(super) fn stats(reading: &Reading, store: &LogStore) -> Value {
    let sum = reading.sum();
    let accounts = reading.accounts;
    let refused: Map<String, Value> = sum
        .refused()
        .filter(|(_, count)| *count > 0)
        .map(|(why, count)| (why.to_owned(), count.into()))
        .collect();
    let stored = store.stats();
    json!({
        "datagrams": {
            "received": sum.received + sum.cut_short,
            "decoded": sum.sessions.decoded,
            "refused": refused,
            "relayed_only": sum.relayed_only,
            "missed": sum.missed,
        },
        "records": {
            "decoded": sum.flows,
            "unclaimed": sum.unclaimed,
            "looped": sum.looped,
            "routed": sum.routed,
            "resumed": sum.resumed,
            "repeated": sum.repeated,
            "held": sum.held,
            "open": sum.open,
            "dropped": sum.dropped,
            "in_flight": accounts.store.in_flight,
            "kept": accounts.store.ended.taken,
            "refused": accounts.store.ended.refused,
            "not_kept": accounts.store.ended.spared,
        },
        "sls": sls(reading),
        "netflow": netflow(reading),
        "journal": {
            "next_seq": reading.journal.next_seq,
            "durable_to": reading.journal.durable_to,
            "disk_bytes": reading.journal.disk_bytes,
            "memory_bytes": reading.journal.window_bytes,
            "fault": reading.journal.fault.map(Fault::label),
        },
        "live_flows": sum.live,
        "log_store": {
            "durable": stored.durable,
            "unflushed": stored.unflushed,
            "parts_written": stored.parts_written,
            "write_errors": stored.write_errors,
        },
        "gaps": reading.gaps(),
    })
}

/// The way to the cloud.
fn sls(reading: &Reading) -> Value {
    let (output, sent) = (reading.accounts.sls, reading.sent());
    let ended = output.ended;
    json!({
        "carried_over": reading.carried,
        "in_flight": output.in_flight,
        "journaled": ended.taken,
        "refused": ended.refused,
        "not_sent": ended.spared,
        "pending": sent.pending,
        "acked": sent.acked,
        "evicted": sent.evicted,
        "damaged": sent.damaged,
    })
}

/// The ways to other collectors.
fn netflow(reading: &Reading) -> Value {
    let (output, exports) = (reading.accounts.netflow, &reading.exports);
    let collectors = exports.collectors.iter().map(collector);
    json!({
        "in_flight": output.in_flight,
        "taken": output.ended.taken,
        "copies": exports.copies,
        "not_sent": output.ended.spared,
        "collectors": collectors.collect::<Vec<_>>(),
    })
}

fn collector(of: &CollectorReading) -> Value {
    let lacking = of.tally.lacking.by_label();
    let lacking: Map<String, Value> = lacking
        .map(|(what, count)| (what.to_owned(), count.into()))
        .collect();
    json!({
        "name": of.name,
        "offered": of.tally.offered,
        "pending": of.tally.pending,
        "sent": of.tally.sent,
        "unsent": of.tally.unsent,
        "failures": of.tally.failures,
        "lacking": lacking,
        "messages": of.tally.messages,
        "octets": of.tally.octets,
        "data_records": of.tally.records,
        "sessions": of.tally.sessions,
        "templates": of.tally.templates,
        "queued_bytes": of.queued_bytes,
    })
}

/// Where rows go, what waits there, and what keeps it from going on.
pub(super) fn destinations(
    journal: &journal::Stats,
    outlets: &[(DestinationId, Destination, OutletStats)],
) -> Value {
    let all = (0..).map(DestinationId).zip(&journal.destinations);
    let views = all.map(|(id, destination)| {
        let outlet = outlets.iter().find(|(of, ..)| *of == id);
        let trouble = outlet.and_then(|(.., stats)| stats.trouble.as_ref());
        let trouble = trouble.map(|trouble| {
            json!({"label": trouble.label, "what": trouble.what, "advice": trouble.advice})
        });
        let amounts = &destination.amounts;
        json!({
            "name": destination.name,
            "pending": amounts.pending,
            "delivered": amounts.acked,
            "evicted": amounts.evicted,
            "damaged": amounts.damaged,
            "refused": amounts.refused,
            "oldest_age_ms": destination.oldest_age_ms,
            "journal_bytes": destination.kept_bytes,
            "trouble": trouble,
            "last_error": outlet.and_then(|(.., stats)| stats.last_error.as_deref()),
            "resolver_problem": outlet.and_then(|(.., stats)| stats.resolver_problem.as_deref()),
            "in_flight": outlet.map(|(.., stats)| stats.in_flight),
        })
    });
    views.collect()
}

/// The exact list of files that hold the rows, for other tools.
pub(super) fn parts(store: &LogStore) -> Value {
    let parts = store.parts().into_iter().map(api::part);
    parts.collect()
}
