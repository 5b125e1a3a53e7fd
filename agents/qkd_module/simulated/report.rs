//! What a simulated device shows of itself: readings, conditions, state, resources and diagnostics.

use jiff::Timestamp;

use super::super::catalogue::quantity;
use super::super::diagnostic::{Evidence, MEASURABLE_LOSS_DB, diagnose};
use super::super::model::{
    Accounting, AlignmentState, Counters, DiagnosticOutput, Measured, Operational, Role, Security, State, Test,
};
use super::device::{AUTHENTICATION_RATE, SimulatedDevice};
use super::tell::MODULE_KIND;
use crate::driver::{Reading, Sample};
use crate::model::common::Resource;
use crate::model::date_and_time;
use crate::model::types::{ChannelState, Equipment};
use crate::network::optics::{LASER_DBM, MODULE_CELSIUS};
use crate::state::OperState;

/// The one protocol that the physics is of.
pub(super) const PROTOCOL: &str = "qkdn-types:bb84-decoy";

/// Delay of light in fibre, ms/km.
const FIBRE_DELAY: f64 = 0.005;

impl SimulatedDevice {
    pub(crate) fn sample(&self) -> Sample {
        let mut readings = Vec::new();
        let mut read = |target: &str, quantity, value: Option<f64>| {
            readings.extend(value.map(|value| Reading { target: target.to_owned(), quantity, value }));
        };
        let (module, link, measured, counted) =
            (&self.parameters.module_id, self.link_id(), self.measured(), &self.counted);
        let secret = measured.secret_key_rate;
        read(link, quantity::SECRET_KEY_RATE, secret);
        let share = |rate: f64| (rate - AUTHENTICATION_RATE.min(rate)).max(0.0);
        read(link, quantity::EFFECTIVE_SECRET_KEY_RATE, secret.map(share));
        read(link, quantity::SIFTED_KEY_RATE, measured.sifted_key_rate);
        read(link, quantity::QBER, measured.qber);
        read(link, quantity::VISIBILITY, measured.visibility);
        read(link, quantity::CHANNEL_LOSS, measured.channel_loss);
        read(link, quantity::EXPECTED_ATTENUATION, measured.expected_attenuation);
        read(module, quantity::MODULE_TEMPERATURE, measured.module_temperature);
        match self.parameters.role {
            Role::Receiver => {
                let detector = self.part("detector");
                let signal = measured.raw_detection_rate.zip(measured.dark_count_rate);
                let snr =
                    signal.filter(|(raw, dark)| raw > dark).map(|(raw, dark)| 10.0 * ((raw - dark) / dark).log10());
                read(link, quantity::SNR, snr);
                read(&detector, quantity::RAW_DETECTION_RATE, measured.raw_detection_rate);
                read(&detector, quantity::DARK_COUNT_RATE, measured.dark_count_rate);
                read(&detector, quantity::DETECTOR_TEMPERATURE, measured.detector_temperature);
                read(&detector, quantity::DETECTOR_BIAS_CURRENT, self.is_lit().then_some(0.05));
                read(
                    module,
                    quantity::INTERFEROMETER_TEMPERATURE,
                    measured.module_temperature.map(|t| 35.0 + 0.02 * (t - 30.0)),
                );
            }
            Role::Transmitter => {
                let source = self.part("light-source");
                let weaker = measured.laser_power.map(|dbm| LASER_DBM - dbm);
                read(&source, quantity::LASER_POWER, measured.laser_power);
                // A laser that ages is driven harder to hold its power, until it cannot.
                read(&source, quantity::LASER_BIAS_CURRENT, weaker.map(|db| 40.0 * (1.0 + db.clamp(0.0, 10.0) / 10.0)));
                read(&source, quantity::LASER_TEMPERATURE, measured.laser_temperature);
                read(&source, quantity::TEC_CURRENT, measured.module_temperature.map(|t| 200.0 + 10.0 * (t - 25.0)));
                read(&source, quantity::IM_BIAS_VOLTAGE, self.is_lit().then_some(3.2));
                let system = &self.system;
                // 0 dBm of 1550 nm light is 7.8e15 photons a second: what is left per pulse is the signal intensity.
                let attenuation = 10.0 * (7.8e15 / (system.clock_hz * system.signal_intensity)).log10();
                read(&source, quantity::VOA_ATTENUATION, self.is_lit().then_some(attenuation));
                read(&source, quantity::MONITOR_PHOTODIODE_POWER, measured.laser_power.map(|dbm| dbm - 20.0));
            }
        }
        read(module, quantity::SYSTEM_STATE_CHANGES, Some(counted.system_changes as f64));
        read(module, quantity::ALIGNMENT_STATE_CHANGES, Some(counted.alignment_changes as f64));
        read(module, quantity::OPTICS_OPTIMIZATION_COUNT, Some(counted.optimizations as f64));
        read(link, quantity::KEY_BLOCK_FAILURES, Some(counted.block_failures.floor()));
        read(module, quantity::AUTHENTICATION_KEY_REMAINING, Some(counted.authentication_key.floor()));
        Sample { readings, conditions: self.conditions.clone() }
    }

    pub(crate) fn operational(&self) -> Operational {
        let (measured, receiver) = (self.measured(), self.parameters.role == Role::Receiver);
        let states = &self.states;
        let last_change = self.changed.values().max().copied().unwrap_or(self.booted);
        let state = State {
            module_id: self.parameters.module_id.clone(),
            oper_state: states.oper,
            alignment_state: states.alignment,
            synchronization_state: states.synchronization,
            quantum_channel_state: states.quantum_channel,
            classical_channel_state: states.classical_channel,
            key_generation: states.key_generation,
            active_channel: self.channel.clone(),
            role: self.parameters.role,
            protocol: PROTOCOL.to_owned(),
            supported_role: vec![self.parameters.role],
            supported_protocol: vec![PROTOCOL.to_owned()],
            boot_time: date_and_time(self.booted),
            uptime: self.now.duration_since(self.booted).as_secs().unsigned_abs(),
            last_change: date_and_time(last_change),
            sampled: Some(date_and_time(self.now)),
            qber: measured.qber,
            secret_key_rate: measured.secret_key_rate,
            sifted_key_rate: measured.sifted_key_rate,
            raw_detection_rate: measured.raw_detection_rate.filter(|_| receiver),
            visibility: measured.visibility,
            channel_loss: measured.channel_loss,
            temperature: measured.module_temperature,
            detector_temperature: measured.detector_temperature.filter(|_| receiver),
            laser_power: measured.laser_power.filter(|_| !receiver),
            equipment: Equipment {
                vendor: "simulated".to_owned(),
                model: format!("decoy-state BB84, {}", self.parameters.system.name),
                serial_number: format!("{:016x}", self.parameters.seed),
                hardware_revision: "1".to_owned(),
                software_revision: env!("CARGO_PKG_VERSION").to_owned(),
            },
        };
        let counted = &self.counted;
        let counters = Counters {
            accounting: Accounting {
                since: date_and_time(self.booted),
                secret_bits: counted.secret_bits as u64,
                sifted_bits: counted.sifted_bits as u64,
                key_blocks: counted.blocks as u64,
                key_block_failures: counted.block_failures as u64,
                delivered_bits: counted.secret_bits as u64,
            },
            security: Security {
                authentication_key_remaining: counted.authentication_key as u64,
                authentication_failures: counted.authentication_failures,
                qrng_health_failures: counted.qrng_failures,
                tamper_events: counted.tampers,
                eavesdropping_suspicions: counted.suspicions,
            },
        };
        Operational { state, counters, resource: self.resources() }
    }

    /// Diagnoses the link from what was measured since `started`.
    pub(crate) fn diagnose(&self, tests: &[Test], started: Timestamp) -> DiagnosticOutput {
        let measured = self.measured_by_both();
        let evidence = Evidence {
            in_use: self.in_use() && self.is_lit() && !self.peer.disabled,
            laser_design_dbm: LASER_DBM,
            detectors_sound: self.optics.detectors_sound,
            synchronized: self.optics.synchronized,
            classical_channel: self.states.classical_channel,
            random_numbers_sound: !self.has(|fault| fault.random_number_failure.is_some()),
            design: self.system,
            measured,
        };
        let finding = diagnose(&evidence, tests);
        DiagnosticOutput {
            link_id: Some(self.link_id().to_owned()),
            module_id: self.parameters.module_id.clone(),
            started: date_and_time(started),
            ended: date_and_time(self.now),
            link_state: finding.link_state,
            probable_cause: finding.cause,
            confidence: finding.confidence,
            text: finding.text,
            measured: evidence.measured,
            result: finding.results,
        }
    }

    /// The resources of the module (Table I.4 rows 1 and 2). Their identifiers are made of the module's, so they outlive a restart.
    pub(super) fn resources(&self) -> Vec<Resource> {
        let module = &self.parameters.module_id;
        let (states, config) = (&self.states, &self.config);
        let changed = |of: &str| Some(date_and_time(self.changed.get(of).copied().unwrap_or(self.booted)));
        let part = |name: &str, description: &str, kind, oper_state| Resource {
            resource_id: self.part(name),
            description: description.to_owned(),
            kind,
            parent: Some(module.clone()),
            peer: None,
            admin_state: None,
            service_state: None,
            oper_state,
            last_change: None,
        };
        let channel = |state| match state {
            ChannelState::Up => OperState::Operational,
            ChannelState::Degraded => OperState::Degraded,
            ChannelState::Down => OperState::Down,
            ChannelState::Unknown => OperState::Unknown,
        };
        let sound = |sound: bool| if sound { OperState::Operational } else { OperState::Failed };
        let mut resources = vec![
            Resource {
                resource_id: module.clone(),
                description: config.description.clone().unwrap_or_else(|| "Simulated QKD module".to_owned()),
                kind: MODULE_KIND,
                parent: None,
                peer: config.link.peer_module_id.clone(),
                admin_state: Some(config.admin_state),
                service_state: Some(config.service_state),
                oper_state: states.oper,
                last_change: changed("module"),
            },
            Resource {
                resource_id: self.link_id().to_owned(),
                description: "QKD link that ends in the module".to_owned(),
                kind: "qkdn-types:qkd-link",
                parent: None,
                peer: None,
                admin_state: None,
                service_state: None,
                oper_state: states.link,
                last_change: changed("link"),
            },
            part(
                "quantum-channel",
                "Quantum channel in use",
                "qkdn-types:quantum-channel",
                channel(states.quantum_channel),
            ),
            part(
                "classical-channel",
                "Classical channel",
                "qkdn-types:classical-channel",
                channel(states.classical_channel),
            ),
            part(
                "random-number-generator",
                "Random number generator",
                "qkdn-types:random-number-generator",
                sound(!self.has(|fault| fault.random_number_failure.is_some())),
            ),
            part(
                "synchronization-unit",
                "Clock recovery",
                "qkdn-types:synchronization-unit",
                if self.optics.synchronized { OperState::Operational } else { OperState::Down },
            ),
        ];
        resources.push(match self.parameters.role {
            Role::Receiver => {
                part("detector", "Pair of detectors", "qkdn-types:detector", sound(self.optics.detectors_sound))
            }
            Role::Transmitter => {
                let weak = self.optics.laser_dbm < LASER_DBM - super::super::diagnostic::WEAK_LASER_DB;
                part("light-source", "Laser", "qkdn-types:light-source", sound(!weak))
            }
        });
        resources
    }

    /// The identifier of a part of the module.
    pub(super) fn part(&self, name: &str) -> String {
        format!("{}:{name}", self.parameters.module_id)
    }

    /// What the module measures of itself and its link; the peer's share reaches it over the classical channel.
    fn measured(&self) -> Measured {
        let both = self.measured_by_both();
        match self.parameters.role {
            Role::Receiver => Measured { laser_power: None, laser_temperature: None, ..both },
            Role::Transmitter => Measured {
                raw_detection_rate: None,
                dark_count_rate: None,
                detector_temperature: None,
                synchronization_offset: None,
                ..both
            },
        }
    }

    fn measured_by_both(&self) -> Measured {
        let (lit, optics) = (self.is_lit(), &self.optics);
        let (emits, detects) = match self.parameters.role {
            Role::Transmitter => (lit, self.peer.lit),
            Role::Receiver => (self.peer.lit, lit),
        };
        let module_celsius = MODULE_CELSIUS + self.warming();
        let light = lit && optics.light;
        let loss = if optics.loss_db < MEASURABLE_LOSS_DB {
            optics.loss_db + 0.01 * self.jitter[0]
        } else {
            MEASURABLE_LOSS_DB
        };
        let shot = |rate: f64| (rate + self.jitter[3] * rate.max(0.0).sqrt()).max(0.0);
        let aligned = light && self.states.alignment != AlignmentState::Aligning;
        let visibility = (1.0 - 2.0 * optics.misalignment) * 100.0 + 0.1 * self.jitter[2];
        let answers = optics.classical_loss < 1.0;
        Measured {
            qber: self.qber(),
            baseline_qber: light.then(|| self.parameters.system.over_loss(self.expected_attenuation()).qber * 100.0),
            channel_loss: lit.then_some(loss),
            expected_attenuation: Some(self.expected_attenuation()),
            visibility: aligned.then_some(visibility.clamp(0.0, 100.0)),
            raw_detection_rate: detects.then(|| shot(optics.point.detection_rate)),
            dark_count_rate: detects.then(|| shot(optics.background_yield * self.system.clock_hz)),
            sifted_key_rate: lit.then(|| self.sifted_key_rate()),
            secret_key_rate: (lit && self.in_use()).then(|| self.secret_key_rate()),
            laser_power: emits.then_some(optics.laser_dbm),
            laser_temperature: emits.then_some(25.0 + 0.02 * (module_celsius - MODULE_CELSIUS)),
            detector_temperature: detects.then_some(optics.detector_celsius),
            module_temperature: Some(module_celsius),
            synchronization_offset: (light && optics.synchronized).then(|| 5.0 * self.jitter[2]),
            classical_channel_delay: answers.then_some(2.0 * FIBRE_DELAY * self.parameters.length_km + 0.1),
        }
    }
}
