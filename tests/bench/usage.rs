//! What the processes of a server use, as Linux tells (proc(5)).

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use crate::session::Outcome;

/// Linux counts the processor time of a process in hundredths of a second (USER_HZ).
const TICKS_A_SECOND: u64 = 100;
/// Bytes of a page on the machines that this is built for.
const PAGE: u64 = 4096;

/// Of some processes and all that they started, in sum.
#[derive(Clone, Copy, Default)]
pub struct Usage {
    pub cpu: Duration,
    /// Bytes of resident memory; what processes share counts once for each.
    pub resident: u64,
}

struct Process {
    parent: u32,
    usage: Usage,
}

impl Usage {
    pub fn of(roots: &[u32]) -> Outcome<Usage> {
        let mut all = BTreeMap::new();
        for entry in fs::read_dir("/proc")? {
            let Ok(id) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            // A process that ends meanwhile does not count.
            if let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat"))
                && let Some(process) = Process::read(&stat)
            {
                all.insert(id, process);
            }
        }
        let counts = |mut id: u32| loop {
            if roots.contains(&id) {
                return true;
            }
            match all.get(&id) {
                Some(process) => id = process.parent,
                None => return false,
            }
        };
        let mut sum = Usage::default();
        for (_, Process { usage, .. }) in all.iter().filter(|(id, _)| counts(**id)) {
            sum.cpu += usage.cpu;
            sum.resident += usage.resident;
        }
        Ok(sum)
    }

    pub fn megabytes(&self) -> f64 {
        self.resident as f64 / 1e6
    }
}

impl Process {
    /// Fields 4, 14, 15 and 24 of proc(5)'s stat; the name before them may hold anything but ends with the last `)`.
    fn read(stat: &str) -> Option<Process> {
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        let ticks = number(14)? + number(15)?;
        let cpu = Duration::from_millis(ticks * 1000 / TICKS_A_SECOND);
        Some(Process { parent: u32::try_from(number(4)?).ok()?, usage: Usage { cpu, resident: number(24)? * PAGE } })
    }
}
