//! Rates of sampling, told by options. P-726, P-735.

use foldhash::fast::RandomState;
use hashbrown::HashMap;

use crate::element::ElementId;
use crate::element::V9_SCOPE_PEN;
use crate::session::SamplingRate;
use crate::wire::FieldSpecifier;
use crate::wire::Version;

/// The rates that are told, each under the id by which records name it.
#[derive(Clone, Debug, Default)]
pub(super) struct Samplers {
    ids: HashMap<SamplingRate, u32, RandomState>,
    /// Options record of each, and the index of its Template.
    options: Vec<(usize, Box<[u8]>)>,
}

/// What a rate is told with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Method {
    /// v9: one in N, as 50.
    OneIn,
    /// IPFIX: one, then 306 are passed over.
    Systematic,
    /// IPFIX: 309 of 310.
    Random,
}

impl Samplers {
    /// The id of a rate that is told already.
    pub(super) fn id(&self, rate: SamplingRate) -> Option<u32> {
        self.ids.get(&rate).copied()
    }

    /// Rates told.
    pub(super) fn len(&self) -> usize {
        self.options.len()
    }

    /// Tells one more rate with a Template of its method; its id, 1 or above,
    /// for 0 means any sampler (P-214).
    pub(super) fn tell(&mut self, rate: SamplingRate, method: Method, template: usize) -> u32 {
        let id = u32::try_from(self.options.len() + 1).unwrap_or(u32::MAX);
        self.options.push((template, method.record(id, rate)));
        self.ids.insert(rate, id);
        id
    }

    /// All options records with the index of their Template.
    pub(super) fn options(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let options = self.options.iter();
        options.map(|(template, octets)| (*template, &**octets))
    }
}

/// Most samplers whose ids the records' fields can hold.
pub(super) const SAMPLERS_MAX: usize = 0xffff;

impl Method {
    /// How a version tells a rate; v9 has only whole numbers.
    pub(super) fn of(version: Version, rate: SamplingRate) -> Option<Self> {
        match (version, rate.picked) {
            (Version::V9, 1) => Some(Self::OneIn),
            (Version::Ipfix, 1) => Some(Self::Systematic),
            (Version::Ipfix, _) => Some(Self::Random),
            (Version::V5 | Version::V9, _) => None,
        }
    }

    /// The fields of its Options Template; the first is the scope.
    pub(super) fn fields(self) -> Box<[FieldSpecifier]> {
        let field = |id, length| FieldSpecifier {
            element: ElementId::iana(id),
            length,
        };
        match self {
            Self::OneIn => {
                let system = ElementId {
                    pen: V9_SCOPE_PEN,
                    id: 1,
                };
                let scope = FieldSpecifier {
                    element: system,
                    length: 4,
                };
                Box::new([scope, field(48, 2), field(49, 1), field(50, 4)])
            }
            Self::Systematic => {
                Box::new([field(302, 4), field(304, 2), field(305, 4), field(306, 4)])
            }
            Self::Random => Box::new([field(302, 4), field(304, 2), field(309, 4), field(310, 4)]),
        }
    }

    fn record(self, id: u32, rate: SamplingRate) -> Box<[u8]> {
        let SamplingRate { out_of, picked } = rate;
        let algorithm = |number: u16| number.to_be_bytes();
        let octets = match self {
            Self::OneIn => {
                let [_, _, id @ ..] = id.to_be_bytes();
                const SYSTEM: [u8; 4] = [0; 4];
                const RANDOM: [u8; 1] = [2];
                [&SYSTEM[..], &id, &RANDOM, &out_of.to_be_bytes()].concat()
            }
            Self::Systematic => [
                &id.to_be_bytes()[..],
                &algorithm(1),
                &picked.to_be_bytes(),
                &out_of.saturating_sub(picked).to_be_bytes(),
            ]
            .concat(),
            Self::Random => [
                &id.to_be_bytes()[..],
                &algorithm(3),
                &picked.to_be_bytes(),
                &out_of.to_be_bytes(),
            ]
            .concat(),
        };
        octets.into()
    }
}
