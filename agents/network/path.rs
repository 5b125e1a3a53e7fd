//! The way of the light through optical switches and relay points.

use std::collections::BTreeMap;

use crate::topology::{Spare, Topology};

/// A way through an optical switch, by ports, or a relay point, by segments. Light passes it either way.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage {
    pub input: String,
    pub output: String,
    pub loss_db: f64,
    /// The QKD link that it is meant for. It matters only where both ports are spare and patched to no link: then they are to this one.
    pub link_id: Option<String>,
}

/// The light of one link at a port of an optical switch or at a segment of a relay point.
#[derive(Clone, Debug, PartialEq)]
pub struct PortLight {
    /// The port or segment.
    pub port: String,
    pub link_id: String,
    /// Light comes in here; it goes out there where not.
    pub incoming: bool,
    /// Power of the bright reference pulses, dBm; nothing where it is dark.
    pub power_dbm: Option<f64>,
    /// Loss of the fibre at this port: from the transmitter or the element before to here, or from here to the element after or the
    /// receiver, dB; infinite where it is cut.
    pub span_loss_db: f64,
    /// Error rate of the link, a ratio; nothing where it is dark.
    pub qber: Option<f64>,
    /// Of the fibre at this port, km.
    pub span_km: f64,
}

/// An optical switch or relay point by design, and what it lets through now.
#[derive(Clone, Debug, PartialEq)]
pub struct ElementView {
    /// Ports of a switch, segments of a relay point.
    pub ports: Vec<String>,
    /// Of a way through it, dB.
    pub insertion_loss_db: f64,
    /// Of drift and noise: the same seed, the same device.
    pub seed: u64,
    /// The QKD links whose fibres end in it.
    pub link_ids: Vec<String>,
    pub passages: Vec<Passage>,
}

/// An optical switch or relay point as light sees it.
#[derive(Clone, Debug)]
pub(crate) struct Element {
    pub(crate) passages: Vec<Passage>,
    /// With links by their identifiers.
    spare: Vec<Spare>,
    ports: Vec<String>,
    insertion_loss_db: f64,
    seed: u64,
}

/// Where a link enters and leaves an element.
#[derive(Clone, Debug)]
pub(crate) struct Crossing {
    pub(crate) element_id: String,
    pub(crate) input: String,
    pub(crate) output: String,
}

/// A way that a link has through an element: the ports, from the transmitter's side, and the loss.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Way {
    pub(crate) input: String,
    pub(crate) output: String,
    pub(crate) loss_db: f64,
}

impl Element {
    /// `link_ids` are those that pass it.
    pub(crate) fn view(&self, link_ids: Vec<String>) -> ElementView {
        let Element { passages, ports, insertion_loss_db, seed, .. } = self.clone();
        ElementView { ports, insertion_loss_db, seed, link_ids, passages }
    }

    /// The way of a link: between its own ports, or spare ports that stand in for them.
    pub(crate) fn way(&self, link_id: &str, crossing: &Crossing) -> Option<Way> {
        let pair = |port: &str| self.spare.iter().find(|pair| pair.input == port || pair.output == port);
        let patched = |port: &str| pair(port).and_then(|pair| pair.link.as_deref());
        let stands_in = |port: &str| pair(port).is_some() && patched(port).is_none_or(|link| link == link_id);
        let serves = |passage: &Passage, input: &str, output: &str| {
            let (enters, leaves) = (crossing.input == input, crossing.output == output);
            let to = patched(input).or(patched(output)).or(passage.link_id.as_deref());
            (enters || stands_in(input)) && (leaves || stands_in(output)) && (enters || leaves || to == Some(link_id))
        };
        self.passages.iter().find_map(|passage| {
            let (input, output) = (passage.input.as_str(), passage.output.as_str());
            let way = |input: &str, output: &str| Way {
                input: input.to_owned(),
                output: output.to_owned(),
                loss_db: passage.loss_db,
            };
            if serves(passage, input, output) {
                Some(way(input, output))
            } else {
                serves(passage, output, input).then(|| way(output, input))
            }
        })
    }
}

/// Every optical switch and relay point by its identifier, joined as the topology says.
pub(super) fn elements(topology: &Topology) -> BTreeMap<String, Element> {
    let switches = topology.optical_switches.iter().map(|switch| (&switch.name, &switch.ports, &switch.spare));
    let points = topology.relay_points.iter().map(|point| (&point.name, &point.segments, &point.spare));
    let element = |(name, ports, spare): (&String, &Vec<String>, &Vec<Spare>)| {
        let passages = topology.links.iter().flat_map(|link| link.via.iter().map(move |via| (link, via)));
        let passages = passages.filter(|(_, via)| via.element == *name).map(|(link, via)| Passage {
            input: via.input.clone(),
            output: via.output.clone(),
            loss_db: topology.insertion_loss_db(name),
            link_id: Some(topology.link_id(&link.name)),
        });
        let patched =
            |pair: &Spare| Spare { link: pair.link.as_ref().map(|link| topology.link_id(link)), ..pair.clone() };
        let element = Element {
            passages: passages.collect(),
            spare: spare.iter().map(patched).collect(),
            ports: ports.clone(),
            insertion_loss_db: topology.insertion_loss_db(name),
            seed: topology.seed_of(name),
        };
        (topology.element_id(name), element)
    };
    switches.chain(points).map(element).collect()
}
