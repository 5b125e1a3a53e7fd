//! The driver that docs/agents.md shows, as it stands there: what it leaves out has an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use netconf::server::provider::{EventSender, Provider};
use netconf::yang::{Schema, Tree};

use super::*;
use crate::agent::Agent;
use crate::fault::{Fault, Plain};
use crate::qkd_module::QkdModule;
use crate::qkd_module::model::{Action, Config, DiagnosticInput, Operational};
use crate::schema::agent_schema;
use crate::state::ServiceState;

/// A device that takes what it is told and has nothing to say yet; it counts how often it is measured.
#[derive(Default)]
struct AcmeLine {
    measured: Arc<AtomicU32>,
}

impl AcmeLine {
    async fn set(&self, _config: Config) -> Result<(), DriverError> {
        Ok(())
    }

    async fn measure(&self) -> Result<Sample, DriverError> {
        self.measured.fetch_add(1, Ordering::Relaxed);
        Ok(Sample::default())
    }

    async fn state(&self) -> Result<Operational, DriverError> {
        Err(DriverError::Failed("it has just been switched on".to_owned()))
    }
}

struct AcmeModule {
    about: Device,
    line: AcmeLine,
}

impl Driver for AcmeModule {
    type Kind = QkdModule;

    fn device(&self) -> &Device {
        &self.about
    }

    fn check(&self, old: &Config, new: &Config) -> Result<(), DriverError> {
        DriverError::check_step("service-state", old.service_state, new.service_state)
    }

    async fn configure(&self, config: Config, _now: Timestamp) -> Result<(), DriverError> {
        self.line.set(config).await
    }

    async fn sample(&self, _now: Timestamp) -> Result<Sample, DriverError> {
        self.line.measure().await
    }

    async fn state(&self, _now: Timestamp) -> Result<Operational, DriverError> {
        self.line.state().await
    }
}

#[tokio::test]
async fn a_driver_answers_for_what_it_leaves_out() {
    let module = AcmeModule { about: QkdModule::device("urn:example:module:1"), line: AcmeLine::default() };
    assert!(!module.device().simulated, "a real device has no faults on command");
    let (sender, mut facts) = facts();
    module.start(sender);
    assert!(facts.recv().await.is_none(), "it tells nothing, ever");
    let now = Timestamp::UNIX_EPOCH;
    let diagnostic = Action::RunLinkDiagnostic(Call { input: DiagnosticInput::default() });
    assert!(matches!(module.act(diagnostic, "qlm", now).await, Err(DriverError::Unsupported(_))));
    let tamper = Fault { tamper: Some(Plain {}), ..Fault::default() };
    assert!(matches!(module.inject(tamper, "qlm", now).await, Err(DriverError::Unsupported(_))));
    let reserved = Config { service_state: ServiceState::Reserved, ..Config::default() };
    let refused = module.check(&Config::default(), &reserved).unwrap_err();
    assert!(matches!(refused, DriverError::Refused { leaf: Some(leaf), .. } if leaf == "service-state"));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_tells_nothing_is_looked_at_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let (line, schema) = (AcmeLine::default(), agent_schema(Schema::builder(), &["qkdn-mq"], true).unwrap());
    let measured = line.measured.clone();
    let module = AcmeModule { about: QkdModule::device("urn:example:module:1"), line };
    let begin = tokio::time::Instant::now();
    let clock = Arc::new(move || Timestamp::UNIX_EPOCH + begin.elapsed());
    let agent = Agent::open(module, schema.clone(), directory.path(), clock).unwrap();
    let (events, _heard) = EventSender::channel();
    agent.start(events);
    let initial = Tree::initial(schema);
    agent.apply(&initial, &initial, &[]).await.unwrap();
    let wait = async {
        while measured.load(Ordering::Relaxed) < 5 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), wait).await.expect("a sample every second");
    agent.stop().await;
}
