//! Causes, from evidence made by hand.

use super::*;

fn sound() -> Evidence {
    Evidence {
        measured: Measured {
            qber: Some(3.4),
            channel_loss: Some(4.8),
            expected_attenuation: Some(4.7),
            visibility: Some(93.4),
            raw_detection_rate: Some(14_000.0),
            dark_count_rate: Some(3.4),
            laser_power: Some(0.0),
            module_temperature: Some(31.0),
            classical_channel_delay: Some(0.3),
            ..Measured::default()
        },
        in_use: true,
        laser_design_dbm: 0.0,
        detectors_sound: true,
        synchronized: true,
        classical_channel: ChannelState::Up,
        random_numbers_sound: true,
        design: System::GYS,
    }
}

#[test]
fn fewer_tests_make_less_sure() {
    let all = diagnose(&sound(), &[]);
    let one = diagnose(&sound(), &[Test::Source]);
    assert_eq!((all.cause, one.cause), (ProbableCause::NoFaultFound, ProbableCause::NoFaultFound));
    assert_eq!((all.results.len(), one.results.len()), (7, 1));
    assert_eq!(all.link_state, ChannelState::Up);
    assert!(one.confidence < all.confidence);
}

#[test]
fn a_test_that_was_not_asked_for_names_no_cause() {
    let mut evidence = sound();
    evidence.measured.laser_power = Some(-20.0);
    assert_eq!(diagnose(&evidence, &[Test::Detector]).cause, ProbableCause::NoFaultFound);
    assert_eq!(diagnose(&evidence, &[Test::Source]).cause, ProbableCause::LaserFailure);
}

#[test]
fn no_light_from_a_sound_laser_is_a_cut() {
    let mut evidence = sound();
    evidence.measured.channel_loss = Some(MEASURABLE_LOSS_DB);
    evidence.measured.qber = None;
    evidence.measured.visibility = None;
    evidence.synchronized = false;
    let finding = diagnose(&evidence, &[]);
    assert_eq!((finding.cause, finding.link_state), (ProbableCause::FibreCut, ChannelState::Down));
    let not_run: Vec<Test> =
        finding.results.iter().filter(|r| r.outcome == TestOutcome::NotRun).map(|r| r.test).collect();
    assert_eq!(not_run, [Test::Alignment, Test::Synchronization]);
    evidence.measured.laser_power = Some(-200.0);
    assert_eq!(diagnose(&evidence, &[]).cause, ProbableCause::LaserFailure);
}

#[test]
fn the_more_of_the_qber_is_unexplained_the_surer_an_eavesdropper() {
    let with = |qber| {
        let mut evidence = sound();
        evidence.measured.qber = Some(qber);
        diagnose(&evidence, &[])
    };
    let (some, much) = (with(6.0), with(9.0));
    assert_eq!((some.cause, much.cause), (ProbableCause::Eavesdropping, ProbableCause::Eavesdropping));
    assert!(some.confidence < much.confidence && much.confidence <= 90.0);
}

#[test]
fn nothing_is_said_of_a_link_that_is_not_in_use() {
    let finding = diagnose(&Evidence { in_use: false, ..sound() }, &[]);
    assert_eq!((finding.cause, finding.link_state), (ProbableCause::AdministrativelyDown, ChannelState::Unknown));
}

#[test]
fn explained_qber_is_the_physics_with_what_was_measured() {
    let explained = explained_qber(&System::GYS, 4.7, 93.4, 3.4);
    assert!((explained - System::GYS.over_loss(4.7).qber * 100.0).abs() < 1e-9);
}
