//! From [`FlowBatch`] to Arrow.

mod ipc;
mod pack;
mod rest;
mod texts;

#[cfg(test)]
mod tests;

pub use ipc::from_ipc;
pub use ipc::to_ipc;

use rest::rest;
use texts::Texts;
use texts::write_address;
use texts::write_ip;
use texts::write_mac;
use texts::write_text;

use std::hash::Hash;
use std::net::Ipv4Addr;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::ArrowPrimitiveType;
use arrow_array::DictionaryArray;
use arrow_array::Int32Array;
use arrow_array::PrimitiveArray;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::StringArray;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt64Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::UInt8Type;
use arrow_array::types::UInt16Type;
use arrow_array::types::UInt32Type;
use arrow_array::types::UInt64Type;
use arrow_buffer::BooleanBuffer;
use arrow_buffer::NullBuffer;
use arrow_buffer::ScalarBuffer;
use arrow_schema::ArrowError;
use arrow_schema::Field;
use arrow_schema::FieldRef;
use arrow_schema::Schema;

use crate::flow::Event;
use crate::flow::FlowBatch;
use crate::flow::Presence;
use crate::flow::RecordFlags;
use crate::flow::batch::Columns;
use crate::flow::batch::Details;
use crate::flow::batch::Sparse;
use crate::flow::schema::schema;

/// What a route is called: the fields NetFlow does not carry.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Names<'a> {
    /// Flow log.
    pub flow_log: &'a str,
    /// Gateway.
    pub instance_id: Option<&'a str>,
    /// Its serial number.
    pub snid: Option<&'a str>,
    /// Its account.
    pub ali_uid: Option<&'a str>,
}

/// Column of the numbers flows had in the cache; 0 is none. It is for the
/// journal alone: neither stored rows nor logs have it.
pub const SERIAL: &str = "__serial__";

/// The numbers that flows of these rows had in the cache.
pub fn serials(rows: &RecordBatch) -> impl Iterator<Item = u64> {
    let column = rows.column_by_name(SERIAL);
    let column = column.and_then(|column| column.as_primitive_opt::<UInt64Type>());
    let serials = column.map_or(&[][..], |column| column.values());
    serials.iter().copied().filter(|serial| *serial != 0)
}

/// Tells what routes are called; asked once per route and batch.
pub trait RouteNames {
    /// The names of a route, retired ones too.
    fn names(&self, route: u16) -> Names<'_>;
}

impl FlowBatch {
    /// Turns the rows into an Arrow batch of the columns in [`schema`], and
    /// [`SERIAL`] behind them where rows have one.
    ///
    /// Columns of which every row is null are left out. Numbers are handed over
    /// as they are, without a copy.
    ///
    /// # Errors
    /// More than 2^31 octets of text or extra elements.
    pub fn into_arrow(self, routes: &impl RouteNames) -> Result<RecordBatch, ArrowError> {
        let rows = self.len();
        let exporters = self.exporters().iter();
        let exporters = exporters.map(|(ip, _)| Some(ip.to_string())).collect();
        let (mut columns, mut details) = (self.columns, self.details);
        let mut batch = Assembly::new(rows);
        batch.put_flow(&mut columns)?;
        batch.put_path(&mut columns, &details)?;
        batch.put_origin(&mut columns, exporters, routes)?;
        batch.put_details(&mut details)?;
        batch.put_serials(columns.serial);
        batch.finish()
    }
}

/// A batch that is put together column by column, in the schema's order.
struct Assembly {
    rows: usize,
    schema: std::slice::Iter<'static, FieldRef>,
    fields: Vec<FieldRef>,
    arrays: Vec<ArrayRef>,
}

impl Assembly {
    fn new(rows: usize) -> Self {
        Self {
            rows,
            schema: schema().fields().iter(),
            fields: Vec::new(),
            arrays: Vec::new(),
        }
    }

    fn finish(self) -> Result<RecordBatch, ArrowError> {
        let schema = Schema::new(self.fields).with_metadata(schema().metadata().clone());
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        RecordBatch::try_new_with_options(Arc::new(schema), self.arrays, &options)
    }

    /// Adds the next column, unless all its rows are null.
    fn put(&mut self, array: ArrayRef) {
        if let Some(field) = self.schema.next()
            && array.null_count() < self.rows
        {
            self.fields.push(Arc::clone(field));
            self.arrays.push(array);
        }
    }

    /// Passes the next column over: all its rows are null.
    fn leave_out(&mut self) {
        self.schema.next();
    }

    /// Adds the next column from numbers, of which those `has` denies are null.
    fn numbers<T: ArrowPrimitiveType>(
        &mut self,
        values: Vec<T::Native>,
        nulls: Option<NullBuffer>,
    ) {
        let values = ScalarBuffer::from(values);
        self.put(Arc::new(PrimitiveArray::<T>::new(values, nulls)));
    }

    /// `start` to `tos`.
    fn put_flow(&mut self, columns: &mut Columns) -> Result<(), ArrowError> {
        for times in [&mut columns.start_ms, &mut columns.end_ms] {
            let values = ScalarBuffer::from(std::mem::take(times));
            let array = TimestampMillisecondArray::new(values, None);
            self.put(Arc::new(array.with_timezone("UTC")));
        }
        let has = |bit| nulls(columns.present.iter().map(|bits| bits.contains(bit)));
        let counters = columns.octets.iter().zip(&columns.packets);
        // An event without counters counted nothing; a flow of 0 octets did.
        let counters = counters.zip(&columns.event);
        let counted = nulls(counters.map(|((o, p), event)| event.is_none() || (o | p) != 0));
        let is_flow = nulls(columns.event.iter().map(Option::is_none));
        self.addresses(&columns.src, has(Presence::SRC))?;
        self.addresses(&columns.dst, has(Presence::DST))?;
        let (src_port, dst_port) = (has(Presence::SRC_PORT), has(Presence::DST_PORT));
        let (protocol, tos) = (has(Presence::PROTOCOL), has(Presence::TOS));
        let flagged = columns.tcp_flags.iter().zip(&columns.flags);
        let flagged =
            flagged.map(|(flags, told)| *flags != 0 || told.contains(RecordFlags::TCP_FLAGS));
        let flagged = nulls(flagged);
        self.numbers::<UInt16Type>(std::mem::take(&mut columns.src_port), src_port);
        self.numbers::<UInt16Type>(std::mem::take(&mut columns.dst_port), dst_port);
        self.numbers::<UInt8Type>(std::mem::take(&mut columns.protocol), protocol);
        self.numbers::<UInt64Type>(std::mem::take(&mut columns.octets), counted.clone());
        self.numbers::<UInt64Type>(std::mem::take(&mut columns.packets), counted);
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.flows), is_flow);
        self.numbers::<UInt16Type>(std::mem::take(&mut columns.tcp_flags), flagged);
        self.numbers::<UInt8Type>(std::mem::take(&mut columns.tos), tos);
        Ok(())
    }

    /// `inport` to `flow-end-reason`.
    fn put_path(&mut self, columns: &mut Columns, details: &Details) -> Result<(), ArrowError> {
        let present = std::mem::take(&mut columns.present);
        let has = |bit| nulls(present.iter().map(|bits| bits.contains(bit)));
        let vrf = Presence::IN_VRF.union(Presence::OUT_VRF);
        let vrf = nulls(present.iter().map(|bits| bits.intersects(vrf)));
        let known = columns.flags.iter();
        let known = nulls(known.map(|flags| !flags.contains(RecordFlags::SAMPLING_UNKNOWN)));
        let factors = columns.sampling.iter();
        let factors = factors.map(|rate| f64::from(rate.out_of) / f64::from(rate.picked));
        let factors = factors.collect();
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.in_if), has(Presence::IN_IF));
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.out_if), has(Presence::OUT_IF));
        self.nonzero::<UInt32Type>(std::mem::take(&mut columns.src_as));
        self.nonzero::<UInt32Type>(std::mem::take(&mut columns.dst_as));
        self.nonzero::<UInt8Type>(std::mem::take(&mut columns.src_mask));
        self.nonzero::<UInt8Type>(std::mem::take(&mut columns.dst_mask));
        self.next_hops(&columns.next_hop, &details.next_hop_v6)?;
        self.numbers::<UInt16Type>(std::mem::take(&mut columns.vlan), has(Presence::VLAN));
        let direction = has(Presence::DIRECTION);
        self.numbers::<UInt8Type>(std::mem::take(&mut columns.direction), direction);
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.vrf), vrf);
        self.numbers::<Float64Type>(factors, known);
        let status = std::mem::take(&mut columns.forwarding_status);
        self.numbers::<UInt8Type>(status, has(Presence::FORWARDING));
        self.nonzero::<UInt8Type>(std::mem::take(&mut columns.end_reason));
        Ok(())
    }

    /// `exporter` to `time-quality`.
    fn put_origin(
        &mut self,
        columns: &mut Columns,
        exporters: StringArray,
        routes: &impl RouteNames,
    ) -> Result<(), ArrowError> {
        let keys = Int32Array::from(std::mem::take(&mut columns.exporter));
        self.put(Arc::new(DictionaryArray::try_new(
            keys,
            Arc::new(exporters),
        )?));
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.domain), None);
        let parts: [fn(Names<'_>) -> Option<&str>; 4] = [
            |names| Some(names.flow_log),
            |names| names.instance_id,
            |names| names.snid,
            |names| names.ali_uid,
        ];
        for part in parts {
            self.names(&columns.route, |route| part(routes.names(route)))?;
        }
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.records), None);
        let events = columns.event.iter().map(|event| event.map(Event::label));
        self.texts(events, 0, write_text)?;
        let quality = columns
            .time_flags
            .iter()
            .map(|flags| flags.bits())
            .collect();
        self.numbers::<UInt8Type>(quality, None);
        Ok(())
    }

    /// `xlate-srcaddr` to `rest`.
    fn put_details(&mut self, details: &mut Details) -> Result<(), ArrowError> {
        self.sparse_texts(&details.nat_src, write_ip)?;
        self.sparse_texts(&details.nat_dst, write_ip)?;
        self.sparse_numbers::<UInt16Type>(&details.nat_src_port);
        self.sparse_numbers::<UInt16Type>(&details.nat_dst_port);
        self.sparse_texts(&details.src_mac, write_mac)?;
        self.sparse_texts(&details.dst_mac, write_mac)?;
        self.sparse_numbers::<UInt32Type>(&details.mpls_label);
        self.sparse_numbers::<UInt64Type>(&details.layer2_octets);
        if details.extra.rows.is_empty() {
            self.leave_out();
        } else {
            self.put(rest(self.rows, details)?);
        }
        Ok(())
    }

    /// [`SERIAL`], which is not in the schema.
    fn put_serials(&mut self, serials: Vec<u64>) {
        if serials.iter().any(|serial| *serial != 0) {
            let array = UInt64Array::from(serials);
            let field = Field::new(SERIAL, array.data_type().clone(), true);
            self.fields.push(Arc::new(field));
            self.arrays.push(Arc::new(array));
        }
    }

    /// Numbers of which 0 is null.
    fn nonzero<T: ArrowPrimitiveType>(&mut self, values: Vec<T::Native>)
    where
        T::Native: Default,
    {
        let zero = T::Native::default();
        let nulls = nulls(values.iter().map(|value| *value != zero));
        self.numbers::<T>(values, nulls);
    }

    fn addresses(
        &mut self,
        addresses: &[[u8; 16]],
        present: Option<NullBuffer>,
    ) -> Result<(), ArrowError> {
        let values = addresses.iter().enumerate().map(|(row, address)| {
            let is_null = present.as_ref().is_some_and(|present| present.is_null(row));
            (!is_null).then(|| u128::from_be_bytes(*address))
        });
        self.texts(values, addresses.len(), write_address)
    }

    /// IPv4 next hops, and IPv6 ones where there are none.
    fn next_hops(&mut self, four: &[u32], six: &Sparse<[u8; 16]>) -> Result<(), ArrowError> {
        let hops = four.iter().zip(six.dense(self.rows)).map(|(&four, six)| {
            let four = (four != 0).then(|| Ipv4Addr::from(four).to_ipv6_mapped().octets());
            four.or(six).map(u128::from_be_bytes)
        });
        self.texts(hops, 0, write_address)
    }

    /// What the routes of rows are called.
    fn names<'a>(
        &mut self,
        routes: &[u16],
        name: impl Fn(u16) -> Option<&'a str>,
    ) -> Result<(), ArrowError> {
        let names = routes.chunk_by(PartialEq::eq).flat_map(|alike| {
            let name = alike.first().and_then(|route| name(*route));
            std::iter::repeat_n(name, alike.len())
        });
        self.texts(names, 0, write_text)
    }

    fn sparse_texts<T: Copy + Eq + Hash>(
        &mut self,
        values: &Sparse<T>,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> Result<(), ArrowError> {
        if values.rows.is_empty() {
            self.leave_out();
            return Ok(());
        }
        self.texts(values.dense(self.rows), 0, write)
    }

    /// Adds the next column from what its rows have, of which so many may be
    /// different.
    fn texts<T: Copy + Eq + Hash>(
        &mut self,
        values: impl Iterator<Item = Option<T>>,
        different: usize,
        write: impl Fn(T, &mut Vec<u8>),
    ) -> Result<(), ArrowError> {
        let mut texts = Texts::with_room(self.rows, different);
        for value in values {
            match value {
                Some(value) => texts.push(value),
                None => texts.push_null(),
            }
        }
        self.put(Arc::new(texts.finish(write)?));
        Ok(())
    }

    fn sparse_numbers<T: ArrowPrimitiveType>(&mut self, values: &Sparse<T::Native>) {
        if values.rows.is_empty() {
            return self.leave_out();
        }
        let array: PrimitiveArray<T> = values.dense(self.rows).collect();
        self.put(Arc::new(array));
    }
}

impl<T: Copy> Sparse<T> {
    /// A value or nothing for each of so many rows.
    fn dense(&self, rows: usize) -> impl Iterator<Item = Option<T>> {
        let mut values = self.rows.iter().zip(&self.values).peekable();
        (0_u32..).take(rows).map(move |row| {
            let value = values.next_if(|(at, _)| **at == row);
            value.map(|(_, value)| *value)
        })
    }
}

/// Bits of the rows that have a value; `None` if all have.
fn nulls(mut has: impl ExactSizeIterator<Item = bool>) -> Option<NullBuffer> {
    let bits = BooleanBuffer::collect_bool(has.len(), |_| has.next().unwrap_or_default());
    let nulls = NullBuffer::new(bits);
    (nulls.null_count() > 0).then_some(nulls)
}
