//! Topologies made up from a seed, for load tests: nodes over a region, rings between them, every link with key at rest.

use super::check::MOST_NODES;
use super::{Application, Controller, Link, Node, Topology};
use crate::physics::System;
use crate::random::Noise;

/// Nodes stand in the cells of a square grid of this width, km, and up to this far from the middle of theirs.
const CELL_KM: f64 = 22.0;
const ASIDE_KM: f64 = 8.0;

/// Fibre does not run straight: its length is the distance times this. With the grid it follows that links are 7 to 52 km long.
const DETOUR: f64 = 1.25;

/// Share of the links between neighbours, beyond those that join all nodes, that are there: they close rings.
const RINGS: f64 = 0.4;

/// One node in so many has an application, which takes an AES-256 key a minute, bit/s.
const NODES_PER_APPLICATION: usize = 5;
const APPLICATION_RATE: f64 = 4.27;

/// Its peer is less than so many cells away in each direction, so that no link carries the keys of the whole network.
const NEAR_CELLS: usize = 3;

/// Middle of the region, degrees, and the length of a degree of latitude, km.
const MIDDLE: (f64, f64) = (50.0, 10.0);
const DEGREE_KM: f64 = 111.2;

/// A connected network of that many nodes, but 2 at least and 2000 at most. The same numbers make the same network.
pub fn generate(nodes: usize, seed: u64) -> Topology {
    let count = nodes.clamp(2, MOST_NODES);
    let mut noise = Noise::seeded(seed);
    let width = (count as f64).sqrt().ceil() as usize;
    let places: Vec<(f64, f64)> = (0..count)
        .map(|at| {
            let (row, column) = ((at / width) as f64, (at % width) as f64);
            let mut aside = || ASIDE_KM * (2.0 * noise.uniform() - 1.0);
            (CELL_KM * column + aside(), CELL_KM * row + aside())
        })
        .collect();
    let chosen = join(count, &neighbours(count, width), &mut noise);
    let links = chosen.into_iter().map(|(from, to)| link(&places, from, to)).collect();
    let middle = CELL_KM * (width as f64 - 1.0) / 2.0;
    let node = |(at, (east, north)): (usize, &(f64, f64))| {
        let latitude = MIDDLE.0 + (north - middle) / DEGREE_KM;
        let longitude = MIDDLE.1 + (east - middle) / (DEGREE_KM * MIDDLE.0.to_radians().cos());
        let site = format!("Site {}", at + 1);
        Node { name: name(at), site, latitude: round(latitude, 6), longitude: round(longitude, 6), key_manager: true }
    };
    let application = |at: usize| {
        let from = at * NODES_PER_APPLICATION;
        let step = 1 + below(&mut noise, NEAR_CELLS) + width * below(&mut noise, NEAR_CELLS);
        let to = if from + step < count { from + step } else { from.saturating_sub(step) };
        let to = if to == from { from + 1 } else { to };
        let (name, at, peer) = (format!("app-{}", at + 1), name(from), name(to));
        Application { name, at, peer, rate: APPLICATION_RATE, priority: None }
    };
    Topology {
        name: format!("generated-{count}-{seed}"),
        description: format!("{count} nodes made up from seed {seed}"),
        source: "made up".to_owned(),
        seed,
        system: System::GYS.name.to_owned(),
        controller: Some(Controller { name: "controller".to_owned(), node: name(0) }),
        applications: (0..count / NODES_PER_APPLICATION).map(application).collect(),
        nodes: places.iter().enumerate().map(node).collect(),
        optical_switches: Vec::new(),
        relay_points: Vec::new(),
        links,
    }
}

/// Pairs of nodes in cells side by side.
fn neighbours(count: usize, width: usize) -> Vec<(usize, usize)> {
    let beside = (0..count).filter(|at| at % width + 1 < width).map(|at| (at, at + 1));
    let above = (0..count).map(|at| (at, at + width));
    beside.chain(above).filter(|(_, to)| *to < count).collect()
}

/// Of all pairs those that join the nodes, taken in random order (Kruskal), and a share of the rest.
fn join(count: usize, pairs: &[(usize, usize)], noise: &mut Noise) -> Vec<(usize, usize)> {
    let mut shuffled: Vec<(f64, (usize, usize))> = pairs.iter().map(|pair| (noise.uniform(), *pair)).collect();
    shuffled.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut group: Vec<usize> = (0..count).collect();
    let mut chosen = Vec::new();
    for (_, (from, to)) in shuffled {
        let (ours, theirs) = (group[from], group[to]);
        if ours != theirs {
            group.iter_mut().filter(|group| **group == theirs).for_each(|group| *group = ours);
        } else if noise.uniform() >= RINGS {
            continue;
        }
        chosen.push((from, to));
    }
    chosen.sort_unstable();
    chosen
}

fn link(places: &[(f64, f64)], from: usize, to: usize) -> Link {
    let distance = (places[from].0 - places[to].0).hypot(places[from].1 - places[to].1);
    Link {
        name: format!("l{}-{}", from + 1, to + 1),
        from: name(from),
        to: name(to),
        length_km: round(DETOUR * distance, 1),
        ..Link::default()
    }
}

fn below(noise: &mut Noise, limit: usize) -> usize {
    (noise.uniform() * limit as f64) as usize
}

fn name(at: usize) -> String {
    format!("n{}", at + 1)
}

fn round(value: f64, digits: i32) -> f64 {
    let scale = 10f64.powi(digits);
    (value * scale).round() / scale
}
