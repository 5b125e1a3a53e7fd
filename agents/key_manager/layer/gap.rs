//! Why two KMs cannot exchange keys, and why a key does not get from one KM to another.

use super::{Ends, Layer, ends};
use crate::state::{AdminState, ServiceState, is_in_use};

/// Why two KMs do not work together over their KM link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Gap {
    Crashed(usize),
    Starting(usize),
    /// By command, of the KM or of the KM link at its end.
    Disabled(usize),
    OutOfService(usize),
    /// It is not configured to talk to the other.
    Stranger(usize),
    /// The classical channel carries nothing.
    Channel,
}

impl Gap {
    /// A fault, and nobody's command.
    pub(super) fn is_fault(self) -> bool {
        matches!(self, Gap::Crashed(_) | Gap::Stranger(_) | Gap::Channel)
    }
}

/// Why no key gets from one KM to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Block {
    Link(Ends, Gap),
    /// Too little key is left between two KMs.
    Empty(Ends),
    /// This KM knows no route there.
    NoRoute(usize),
    RelayDisabled(usize),
    /// An end is not in use.
    End(usize),
    /// The application at this KM could not be authenticated.
    Impostor(usize),
    /// The other end is no KM of this network.
    Nobody,
}

impl Block {
    /// This KM tells of the cause by itself.
    pub(super) fn is_told_at(&self, km: usize) -> bool {
        match self {
            Block::Link((a, b), gap) => gap.is_fault() && (*a == km || *b == km),
            Block::Empty((a, b)) => *a == km || *b == km,
            Block::Impostor(at) | Block::End(at) => *at == km,
            Block::NoRoute(_) | Block::RelayDisabled(_) | Block::Nobody => false,
        }
    }

    /// It begins or ends by itself within moments, and is not worth an alarm.
    pub(super) fn is_passing(&self) -> bool {
        matches!(self, Block::Link(_, Gap::Starting(_)))
    }
}

impl Layer {
    pub(super) fn is_crashed(&self, km: usize) -> bool {
        self.faults.of(km).any(|fault| fault.km_crash.is_some())
    }

    pub(super) fn is_enabled(&self, km: usize) -> bool {
        self.kms[km].config.admin_state == AdminState::Enabled
    }

    /// Enabled and in service.
    pub(super) fn is_in_use(&self, km: usize) -> bool {
        let config = &self.kms[km].config;
        is_in_use(config.admin_state, config.service_state)
    }

    /// Why two KMs do not answer each other; nothing where they do.
    pub(super) fn silence(&self, a: usize, b: usize) -> Option<Gap> {
        for km in [a, b] {
            if self.is_crashed(km) {
                return Some(Gap::Crashed(km));
            }
        }
        for (km, peer) in [(a, b), (b, a)] {
            let link = self.kms[km].config.link_to(&self.kms[peer].id);
            if !self.is_enabled(km) || link.is_some_and(|link| link.admin_state == AdminState::Disabled) {
                return Some(Gap::Disabled(km));
            }
            if link.is_none() {
                return Some(Gap::Stranger(km));
            }
            if self.kms[km].starting > 0 {
                return Some(Gap::Starting(km));
            }
        }
        (!self.channel_carries(a, b)).then_some(Gap::Channel)
    }

    /// Why two KMs do not make, take or relay keys with each other.
    pub(super) fn gap(&self, a: usize, b: usize) -> Option<Gap> {
        self.silence(a, b).or_else(|| {
            [(a, b), (b, a)].into_iter().find_map(|(km, peer)| {
                let link = self.kms[km].config.link_to(&self.kms[peer].id);
                let used = link.is_some_and(|link| link.service_state == ServiceState::InService);
                (!used || !self.is_in_use(km)).then_some(Gap::OutOfService(km))
            })
        })
    }

    /// The channel that a KM uses towards a peer: the one commanded, else what the peer was commanded to use, else the first, primary before
    /// backup. A KM changes to a backup by command only.
    pub(super) fn channel(&self, km: usize, peer: usize) -> Option<&str> {
        let commanded = |km: usize, peer: usize| {
            let link = self.kms[km].config.link_to(&self.kms[peer].id);
            link.and_then(|link| link.active_channel.as_deref())
        };
        let own = self.kms[km].config.link_to(&self.kms[peer].id);
        let first = own.and_then(|link| link.channel.iter().min_by_key(|channel| channel.usage));
        commanded(km, peer).or_else(|| commanded(peer, km)).or(first.map(|channel| channel.name.as_str()))
    }

    /// Each end sends on its channel, and hears the other on any.
    fn channel_carries(&self, a: usize, b: usize) -> bool {
        let used = [self.channel(a, b), self.channel(b, a)];
        let mut failed = self.faults.of_link(ends(a, b)).filter_map(|fault| fault.km_link_failure.as_ref());
        !failed.any(|failure| match failure.channel.as_deref() {
            None => true,
            Some(channel) => used.contains(&Some(channel)),
        })
    }

    /// What is the matter, for people.
    pub(super) fn explain(&self, block: &Block) -> String {
        let id = |km: &usize| self.kms[*km].id.as_str();
        match block {
            Block::Link((a, b), gap) => match gap {
                Gap::Crashed(km) => format!("{} does not answer", id(km)),
                Gap::Starting(km) => format!("{} starts", id(km)),
                Gap::Disabled(km) => format!("{} or its KM link is disabled", id(km)),
                Gap::OutOfService(km) => format!("{} or its KM link is out of service", id(km)),
                Gap::Stranger(km) => format!("{} has no KM link to {}", id(km), id(if km == a { b } else { a })),
                Gap::Channel => format!("the channel between {} and {} carries nothing", id(a), id(b)),
            },
            Block::Empty((a, b)) => format!("no key is left between {} and {}", id(a), id(b)),
            Block::NoRoute(km) => format!("{} knows no route", id(km)),
            Block::RelayDisabled(km) => format!("{} does not relay", id(km)),
            Block::End(km) => format!("{} is not in use", id(km)),
            Block::Impostor(km) => format!("the application at {} could not be authenticated", id(km)),
            Block::Nobody => "the peer is not in this network".to_owned(),
        }
    }
}
