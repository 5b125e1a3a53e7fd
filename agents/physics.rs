//! Decoy-state BB84 in closed form: gain, error rate and secret key rate of a link (Ma, Qi, Zhao and Lo, Phys. Rev. A 72, 012326, 2005).

#[cfg(test)]
mod tests;

/// Error rate of a detection that carries no signal: a dark count is right half of the time.
const BACKGROUND_ERROR: f64 = 0.5;

/// One published decoy-state BB84 system. Probabilities are per pulse unless the name says otherwise; the letters are those of the paper.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct System {
    pub name: &'static str,
    /// Attenuation of the fibre (alpha), dB/km.
    pub attenuation_db_per_km: f64,
    /// Transmittance of the receiver, detector efficiency included (eta_Bob).
    pub receiver_transmittance: f64,
    /// Yield of a vacuum pulse over all detectors (Y0): dark counts and stray light.
    pub background_yield: f64,
    /// Probability that a photon reaches the wrong detector (e_det).
    pub misalignment: f64,
    /// Inefficiency of error correction (f), 1 at the Shannon limit.
    pub error_correction: f64,
    /// Share of detections that sifting keeps (q): 1/2 with equally used bases.
    pub sifting: f64,
    /// Mean photon number of signal pulses (mu).
    pub signal_intensity: f64,
    /// Mean photon number of weak decoy pulses (nu), below that of the signal.
    pub decoy_intensity: f64,
    /// Pulses per second, Hz.
    pub clock_hz: f64,
}

impl System {
    /// The Gobby–Yuan–Shields experiment (Appl. Phys. Lett. 84, 3762, 2004) with the decoy intensities of Ma et al.: mu from section III,
    /// nu 0.05 because the paper leaves it open.
    pub const GYS: System = System {
        name: "gys",
        attenuation_db_per_km: 0.21,
        receiver_transmittance: 0.045,
        background_yield: 1.7e-6,
        misalignment: 0.033,
        error_correction: 1.22,
        sifting: 0.5,
        signal_intensity: 0.48,
        decoy_intensity: 0.05,
        clock_hz: 2e6,
    };

    /// The same at the clock of the systems of the Tokyo QKD Network and of Lucamarini et al. (Opt. Express 21, 24550, 2013), 1 GHz: its
    /// probabilities are per pulse, so all rates scale. No experiment had just these figures.
    pub const GYS_1GHZ: System = System { name: "gys-1ghz", clock_hz: 1e9, ..System::GYS };

    /// Every system known by name.
    pub const ALL: &'static [System] = &[System::GYS, System::GYS_1GHZ];

    pub fn by_name(name: &str) -> Option<System> {
        Self::ALL.iter().copied().find(|system| system.name == name)
    }

    /// Loss of a fibre of this length, dB.
    pub fn loss_db(&self, length_km: f64) -> f64 {
        self.attenuation_db_per_km * length_km
    }

    /// What the system delivers over a channel of this loss in dB, receiver not included. An infinite loss is a cut fibre.
    pub fn over_loss(&self, loss_db: f64) -> Point {
        let eta = transmittance(loss_db) * self.receiver_transmittance;
        let gain = self.gain(eta, self.signal_intensity);
        let qber = self.error_rate(eta, self.signal_intensity);
        let infinite_decoy = self.infinite_decoy(eta);
        let vacuum_weak = self.vacuum_weak(eta);
        Point {
            loss_db,
            gain,
            qber,
            infinite_decoy: self.estimate(gain, qber, infinite_decoy),
            vacuum_weak: self.estimate(gain, qber, vacuum_weak),
            detection_rate: gain * self.clock_hz,
            sifted_key_rate: gain * self.sifting * self.clock_hz,
        }
    }

    /// What the system delivers over a fibre of this length in km.
    pub fn over_distance(&self, length_km: f64) -> Point {
        self.over_loss(self.loss_db(length_km))
    }

    /// The longest fibre in km over which a decoy method still yields a key, 0 where it yields none at any length.
    pub fn max_distance_km(&self, method: fn(&Point) -> &Estimate) -> f64 {
        let yields = |km: f64| method(&self.over_distance(km)).bits_per_pulse > 0.0;
        let (mut low, mut high) = (0.0, 1000.0);
        if !yields(low) {
            return 0.0;
        }
        while high - low > 1e-6 {
            let middle = (low + high) / 2.0;
            if yields(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// The signal intensity that gives most key where background is negligible: the root of (1-mu)exp(-mu) = f H2(e_det)/(1-H2(e_det)),
    /// equation 12 of Ma et al.; 0 where errors leave nothing to distil.
    pub fn optimal_signal_intensity(&self) -> f64 {
        let entropy = binary_entropy(self.misalignment);
        let cost = self.error_correction * entropy / (1.0 - entropy);
        if cost >= 1.0 {
            return 0.0;
        }
        let (mut low, mut high) = (0.0_f64, 1.0_f64);
        while high - low > 1e-9 {
            let middle = (low + high) / 2.0;
            if (1.0 - middle) * (-middle).exp() > cost { low = middle } else { high = middle }
        }
        low
    }

    /// Q: the probability that a pulse of this intensity is detected.
    fn gain(&self, eta: f64, intensity: f64) -> f64 {
        self.background_yield - (-eta * intensity).exp_m1()
    }

    /// E: the error rate among the detections of pulses of this intensity.
    fn error_rate(&self, eta: f64, intensity: f64) -> f64 {
        let gain = self.gain(eta, intensity);
        if gain <= 0.0 {
            return BACKGROUND_ERROR;
        }
        (BACKGROUND_ERROR * self.background_yield + self.misalignment * -(-eta * intensity).exp_m1()) / gain
    }

    /// Yield and error rate of single photons, known exactly with infinitely many decoy intensities.
    fn infinite_decoy(&self, eta: f64) -> (f64, f64) {
        let y1 = self.background_yield + eta;
        if y1 <= 0.0 {
            return (0.0, BACKGROUND_ERROR);
        }
        (y1, (BACKGROUND_ERROR * self.background_yield + self.misalignment * eta) / y1)
    }

    /// Bounds from one vacuum and one weak decoy: yield from below, error rate from above (equations 34 and 37).
    fn vacuum_weak(&self, eta: f64) -> (f64, f64) {
        let (mu, nu, y0) = (self.signal_intensity, self.decoy_intensity, self.background_yield);
        let (q_mu, q_nu) = (self.gain(eta, mu), self.gain(eta, nu));
        let y1 = mu / (mu * nu - nu * nu)
            * (q_nu * nu.exp() - q_mu * mu.exp() * nu * nu / (mu * mu) - (mu * mu - nu * nu) / (mu * mu) * y0);
        if y1 <= 0.0 || y1.is_nan() {
            return (0.0, BACKGROUND_ERROR);
        }
        let e1 = (self.error_rate(eta, nu) * q_nu * nu.exp() - BACKGROUND_ERROR * y0) / (y1 * nu);
        (y1, e1.clamp(0.0, BACKGROUND_ERROR))
    }

    /// R = q { -Q f H2(E) + Q1 [1 - H2(e1)] }, nothing where that is negative.
    fn estimate(&self, gain: f64, qber: f64, (y1, e1): (f64, f64)) -> Estimate {
        let q1 = y1 * self.signal_intensity * (-self.signal_intensity).exp();
        let bits =
            self.sifting * (q1 * (1.0 - binary_entropy(e1)) - gain * self.error_correction * binary_entropy(qber));
        let bits_per_pulse = bits.max(0.0);
        Estimate { y1, e1, bits_per_pulse, secret_key_rate: bits_per_pulse * self.clock_hz }
    }
}

/// A system at work over one channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Point {
    /// Loss of the channel, dB.
    pub loss_db: f64,
    /// Q_mu: detections per signal pulse.
    pub gain: f64,
    /// E_mu: error rate of the sifted key, a ratio.
    pub qber: f64,
    pub infinite_decoy: Estimate,
    pub vacuum_weak: Estimate,
    /// Detections per second.
    pub detection_rate: f64,
    /// Sifted key, bit/s.
    pub sifted_key_rate: f64,
}

impl Point {
    /// For [`System::max_distance_km`].
    pub fn infinite_decoy(&self) -> &Estimate {
        &self.infinite_decoy
    }

    /// For [`System::max_distance_km`].
    pub fn vacuum_weak(&self) -> &Estimate {
        &self.vacuum_weak
    }
}

/// What one decoy method proves about single photons, and the key that follows from it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Yield of single-photon pulses.
    pub y1: f64,
    /// Error rate of single-photon pulses, a ratio.
    pub e1: f64,
    /// Secret key per signal pulse, bit.
    pub bits_per_pulse: f64,
    /// Secret key, bit/s.
    pub secret_key_rate: f64,
}

/// The share of light that a loss in dB lets through.
pub fn transmittance(loss_db: f64) -> f64 {
    10f64.powf(-loss_db / 10.0)
}

/// H2: the entropy in bits of a binary choice.
pub fn binary_entropy(p: f64) -> f64 {
    if p <= 0.0 || p >= 1.0 {
        return 0.0;
    }
    -p * p.log2() - (1.0 - p) * (1.0 - p).log2()
}

/// The error rate at which one-way BB84 over a perfect channel ends: the root of 1 - (1 + f) H2(Q), 11.0 % for f = 1.
pub fn error_rate_limit(error_correction: f64) -> f64 {
    let (mut low, mut high) = (0.0, 0.5);
    while high - low > 1e-12 {
        let middle = (low + high) / 2.0;
        if (1.0 + error_correction) * binary_entropy(middle) < 1.0 { low = middle } else { high = middle }
    }
    low
}

/// The misalignment seen when a fraction of the pulses is intercepted and resent in a random basis: a quarter of the resent bits is wrong,
/// and what is wrong meets the receiver's own misalignment like any other bit.
pub fn misalignment_under_interception(misalignment: f64, fraction: f64) -> f64 {
    let resent = 0.25 * (1.0 - misalignment) + 0.75 * misalignment;
    (1.0 - fraction) * misalignment + fraction * resent
}
