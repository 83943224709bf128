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
use texts::NULL_KEY;
use texts::Texts;
use texts::address_text;
use texts::mac;

use std::hash::Hash;
use std::net::Ipv4Addr;
use std::sync::Arc;

use arrow_array::Array;
use arrow_array::ArrayRef;
use arrow_array::ArrowPrimitiveType;
use arrow_array::DictionaryArray;
use arrow_array::PrimitiveArray;
use arrow_array::RecordBatch;
use arrow_array::RecordBatchOptions;
use arrow_array::TimestampMillisecondArray;
use arrow_array::UInt64Array;
use arrow_array::builder::StringBuilder;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use arrow_array::types::Int32Type;
use arrow_array::types::UInt8Type;
use arrow_array::types::UInt16Type;
use arrow_array::types::UInt32Type;
use arrow_array::types::UInt64Type;
use arrow_buffer::NullBuffer;
use arrow_buffer::ScalarBuffer;
use arrow_schema::ArrowError;
use arrow_schema::Field;
use arrow_schema::FieldRef;
use arrow_schema::Schema;

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
        let exporters: Vec<_> = self
            .exporters()
            .iter()
            .map(|(ip, _)| ip.to_string())
            .collect();
        let (mut columns, mut details) = (self.columns, self.details);
        let mut batch = Assembly::new(rows);
        batch.put_flow(&mut columns)?;
        batch.put_path(&mut columns, &details)?;
        batch.put_origin(&mut columns, &exporters, routes)?;
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
        exporters: &[String],
        routes: &impl RouteNames,
    ) -> Result<(), ArrowError> {
        self.dictionary(std::mem::take(&mut columns.exporter), None, exporters)?;
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.domain), None);
        let parts: [fn(Names<'_>) -> Option<&str>; 4] = [
            |names| Some(names.flow_log),
            |names| names.instance_id,
            |names| names.snid,
            |names| names.ali_uid,
        ];
        for part in parts {
            let mut texts = Texts::new();
            for route in &columns.route {
                texts.push(*route, |route| part(routes.names(route)).map(str::to_owned));
            }
            self.texts(texts)?;
        }
        self.numbers::<UInt32Type>(std::mem::take(&mut columns.records), None);
        let mut events = Texts::new();
        for event in &columns.event {
            events.push(*event, |event| event.map(|event| event.label().to_owned()));
        }
        self.texts(events)?;
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
        self.sparse_texts(&details.nat_src, |address| address.to_string())?;
        self.sparse_texts(&details.nat_dst, |address| address.to_string())?;
        self.sparse_numbers::<UInt16Type>(&details.nat_src_port);
        self.sparse_numbers::<UInt16Type>(&details.nat_dst_port);
        self.sparse_texts(&details.src_mac, mac)?;
        self.sparse_texts(&details.dst_mac, mac)?;
        self.sparse_numbers::<UInt32Type>(&details.mpls_label);
        self.sparse_numbers::<UInt64Type>(&details.layer2_octets);
        let rest = rest(self.rows, details)?;
        self.put(rest);
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
        let mut texts = Texts::new();
        for (row, address) in addresses.iter().enumerate() {
            let is_null = present.as_ref().is_some_and(|present| present.is_null(row));
            let address = (!is_null).then_some(*address);
            texts.push(address, |address| address.map(address_text));
        }
        self.texts(texts)
    }

    /// IPv4 next hops, and IPv6 ones where there are none.
    fn next_hops(&mut self, four: &[u32], six: &Sparse<[u8; 16]>) -> Result<(), ArrowError> {
        let mut six = six.rows.iter().zip(&six.values).peekable();
        let mut texts = Texts::new();
        for (row, &four) in (0_u32..).zip(four) {
            let six = six.next_if(|(at, _)| **at == row).map(|(_, hop)| *hop);
            let four = (four != 0).then(|| Ipv4Addr::from(four).to_ipv6_mapped().octets());
            texts.push(four.or(six), |hop| hop.map(address_text));
        }
        self.texts(texts)
    }

    fn sparse_texts<T: Copy + Eq + Hash>(
        &mut self,
        values: &Sparse<T>,
        text: impl Fn(T) -> String,
    ) -> Result<(), ArrowError> {
        let mut texts = Texts::new();
        for value in values.dense(self.rows) {
            texts.push(value, |value| value.map(&text));
        }
        self.texts(texts)
    }

    fn sparse_numbers<T: ArrowPrimitiveType>(&mut self, values: &Sparse<T::Native>) {
        let array: PrimitiveArray<T> = values.dense(self.rows).collect();
        self.put(Arc::new(array));
    }

    fn texts<T>(&mut self, texts: Texts<T>) -> Result<(), ArrowError> {
        let is_null = texts.keys.iter().map(|key| *key != NULL_KEY);
        let nulls = nulls(is_null);
        let keys = texts.keys.into_iter().map(|key| key.max(0)).collect();
        self.dictionary(keys, nulls, &texts.values)
    }

    fn dictionary(
        &mut self,
        keys: Vec<i32>,
        nulls: Option<NullBuffer>,
        values: &[String],
    ) -> Result<(), ArrowError> {
        let mut texts = StringBuilder::new();
        for value in values {
            texts.append_value(value);
        }
        let keys = PrimitiveArray::<Int32Type>::new(ScalarBuffer::from(keys), nulls);
        let array = DictionaryArray::try_new(keys, Arc::new(texts.finish()))?;
        self.put(Arc::new(array));
        Ok(())
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
fn nulls(has: impl ExactSizeIterator<Item = bool>) -> Option<NullBuffer> {
    let nulls: NullBuffer = has.collect::<Vec<_>>().into();
    (nulls.null_count() > 0).then_some(nulls)
}
