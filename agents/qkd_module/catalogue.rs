//! What a QKD module measures (Table I.4 rows 3 and 4) and the alarms it can have (rows 7 and 8).

use crate::alarm::Severity::{Critical, Major, Minor, Warning};
use crate::catalogue::{THRESHOLD, alarm, counter, gauge};
use crate::driver::AlarmType;
use crate::performance::Quantity;

/// Names of the quantities, identities of qkdn-performance.
pub mod quantity {
    use crate::catalogue::identities;

    identities! { "qkdn-performance":
        SECRET_KEY_RATE = "secret-key-rate",
        EFFECTIVE_SECRET_KEY_RATE = "effective-secret-key-rate",
        QBER = "qber",
        SNR = "snr",
        VISIBILITY = "visibility",
        CHANNEL_LOSS = "channel-loss",
        EXPECTED_ATTENUATION = "expected-attenuation",
        SIFTED_KEY_RATE = "sifted-key-rate",
        RAW_DETECTION_RATE = "raw-detection-rate",
        DARK_COUNT_RATE = "dark-count-rate",
        LASER_POWER = "laser-power",
        LASER_BIAS_CURRENT = "laser-bias-current",
        LASER_TEMPERATURE = "laser-temperature",
        TEC_CURRENT = "tec-current",
        IM_BIAS_VOLTAGE = "im-bias-voltage",
        VOA_ATTENUATION = "voa-attenuation",
        MONITOR_PHOTODIODE_POWER = "monitor-photodiode-power",
        DETECTOR_TEMPERATURE = "detector-temperature",
        DETECTOR_BIAS_CURRENT = "detector-bias-current",
        INTERFEROMETER_TEMPERATURE = "interferometer-temperature",
        MODULE_TEMPERATURE = "module-temperature",
        SYSTEM_STATE_CHANGES = "system-state-changes",
        ALIGNMENT_STATE_CHANGES = "alignment-state-changes",
        OPTICS_OPTIMIZATION_COUNT = "optics-optimization-count",
        KEY_BLOCK_FAILURES = "key-block-failures",
        AUTHENTICATION_KEY_REMAINING = "authentication-key-remaining",
    }
}

/// Names of the alarm types, identities of qkdn-alarms.
pub mod alarm_type {
    use crate::catalogue::identities;

    identities! { "qkdn-alarms":
        QKD_LINK_DOWN = "qkd-link-down",
        QBER_THRESHOLD_EXCEEDED = "qber-threshold-exceeded",
        QBER_ABORT = "qber-abort",
        EAVESDROPPING_SUSPECTED = "eavesdropping-suspected",
        QUANTUM_CHANNEL_LOSS_HIGH = "quantum-channel-loss-high",
        SKR_LOW = "skr-low",
        KEY_GENERATION_FAILURE = "key-generation-failure",
        DETECTOR_FAULT = "detector-fault",
        LASER_FAULT = "laser-fault",
        ALIGNMENT_LOST = "alignment-lost",
        SYNC_LOST = "sync-lost",
        DARK_COUNT_HIGH = "dark-count-high",
        VISIBILITY_LOW = "visibility-low",
        CLASSICAL_CHANNEL_FAILURE = "classical-channel-failure",
        MODULE_TEMPERATURE = "module-temperature",
        MODULE_TAMPER = "module-tamper",
        QRNG_HEALTH_FAILED = "qrng-health-failed",
        MODULE_AUTHENTICATION_FAILURE = "module-authentication-failure",
        MODULE_FAULT = "module-fault",
        AUTHENTICATION_KEY_LOW = "authentication-key-low",
    }
}

pub static QUANTITIES: &[Quantity] = &[
    gauge(quantity::SECRET_KEY_RATE, "bit/s", "Secret key produced per second"),
    gauge(
        quantity::EFFECTIVE_SECRET_KEY_RATE,
        "bit/s",
        "Secret key left per second after authentication took its share",
    ),
    gauge(quantity::QBER, "percent", "Quantum bit error rate of the sifted key"),
    gauge(quantity::SNR, "dB", "Ratio of signal detections to dark counts"),
    gauge(quantity::VISIBILITY, "percent", "Interference visibility, measured with bright reference pulses"),
    gauge(quantity::CHANNEL_LOSS, "dB", "Loss of the quantum channel"),
    gauge(quantity::EXPECTED_ATTENUATION, "dB", "Attenuation that the configuration or the design expects"),
    gauge(quantity::SIFTED_KEY_RATE, "bit/s", "Sifted key per second"),
    gauge(quantity::RAW_DETECTION_RATE, "count/s", "Detections per second"),
    gauge(quantity::DARK_COUNT_RATE, "count/s", "Detections per second without light"),
    gauge(quantity::LASER_POWER, "dBm", "Power of the laser before attenuation"),
    gauge(quantity::LASER_BIAS_CURRENT, "mA", "Bias current of the laser"),
    gauge(quantity::LASER_TEMPERATURE, "celsius", "Temperature of the laser"),
    gauge(quantity::TEC_CURRENT, "mA", "Current of the thermoelectric cooler"),
    gauge(quantity::IM_BIAS_VOLTAGE, "V", "Bias voltage of the intensity modulator"),
    gauge(quantity::VOA_ATTENUATION, "dB", "Setting of the variable optical attenuator"),
    gauge(quantity::MONITOR_PHOTODIODE_POWER, "dBm", "Power at the monitor photodiode"),
    gauge(quantity::DETECTOR_TEMPERATURE, "celsius", "Temperature of the detectors"),
    gauge(quantity::DETECTOR_BIAS_CURRENT, "mA", "Bias current of the detectors"),
    gauge(quantity::INTERFEROMETER_TEMPERATURE, "celsius", "Temperature of the interferometer"),
    gauge(quantity::MODULE_TEMPERATURE, "celsius", "Temperature of the module"),
    counter(quantity::SYSTEM_STATE_CHANGES, "count", "Changes of the operational state"),
    counter(quantity::ALIGNMENT_STATE_CHANGES, "count", "Changes of the alignment state"),
    counter(quantity::OPTICS_OPTIMIZATION_COUNT, "count", "Optimizations of the optics"),
    counter(quantity::KEY_BLOCK_FAILURES, "count", "Key blocks discarded"),
    gauge(quantity::AUTHENTICATION_KEY_REMAINING, "bit", "Key left to authenticate the classical channel"),
];

pub static ALARM_TYPES: &[AlarmType] = &[
    alarm(
        alarm_type::QKD_LINK_DOWN,
        "communications",
        &[Critical],
        "The QKD link carries no signals and generates no key",
    ),
    alarm(alarm_type::QBER_THRESHOLD_EXCEEDED, "quality-of-service", THRESHOLD, "The QBER lies beyond a threshold"),
    alarm(
        alarm_type::QBER_ABORT,
        "quality-of-service",
        &[Critical],
        "Key generation stopped because the QBER is too high",
    ),
    alarm(
        alarm_type::EAVESDROPPING_SUSPECTED,
        "security",
        &[Critical],
        "The QBER rose at ordinary loss, visibility and dark counts: somebody may intercept the quantum channel",
    ),
    alarm(
        alarm_type::QUANTUM_CHANNEL_LOSS_HIGH,
        "communications",
        THRESHOLD,
        "The loss of the quantum channel is high",
    ),
    alarm(alarm_type::SKR_LOW, "quality-of-service", THRESHOLD, "The secret key rate is low"),
    alarm(alarm_type::KEY_GENERATION_FAILURE, "processing-error", &[Major], "Sifted key blocks are discarded"),
    alarm(alarm_type::DETECTOR_FAULT, "equipment", &[Critical], "A detector fails"),
    alarm(alarm_type::LASER_FAULT, "equipment", &[Critical, Major, Warning], "A laser fails or its power is low"),
    alarm(alarm_type::ALIGNMENT_LOST, "equipment", &[Major], "Transmitter and receiver are out of alignment"),
    alarm(alarm_type::SYNC_LOST, "equipment", &[Major], "Transmitter and receiver are out of synchronization"),
    alarm(alarm_type::DARK_COUNT_HIGH, "equipment", THRESHOLD, "The dark count rate is high"),
    alarm(alarm_type::VISIBILITY_LOW, "quality-of-service", THRESHOLD, "The visibility is low"),
    alarm(alarm_type::CLASSICAL_CHANNEL_FAILURE, "communications", &[Major], "The classical channel fails"),
    alarm(alarm_type::MODULE_TEMPERATURE, "environmental", THRESHOLD, "The temperature of the module is high"),
    alarm(alarm_type::MODULE_TAMPER, "security", &[Critical], "The module was opened or moved"),
    alarm(
        alarm_type::QRNG_HEALTH_FAILED,
        "equipment",
        &[Critical],
        "The random number generator failed its health test",
    ),
    alarm(
        alarm_type::MODULE_AUTHENTICATION_FAILURE,
        "security",
        &[Critical],
        "The peer module could not be authenticated",
    ),
    alarm(
        alarm_type::AUTHENTICATION_KEY_LOW,
        "quality-of-service",
        THRESHOLD,
        "The key left to authenticate the classical channel is low",
    ),
    alarm(alarm_type::MODULE_FAULT, "equipment", &[Critical, Minor], "The module fails as a whole"),
];

pub static CAPABILITIES: &[&str] =
    &["provisioning", "performance", "alarms", "diagnostics", "accounting", "security", "event-log"];
