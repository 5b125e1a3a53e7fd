//! A small module with one of everything, for unit tests.

use std::sync::Arc;

use super::ffi::Source;
use super::schema::Schema;

pub const MODULE: Source = Source { name: "fixture", revision: Some("2026-01-01"), text: TEXT };

/// A schema of the fixture module, NACM and the standard modules that it needs.
pub fn schema() -> Arc<Schema> {
    Schema::builder()
        .standard()
        .sources([MODULE])
        .module("fixture", None, &["extra"])
        .module("ietf-netconf-acm", None, &[])
        .build()
        .expect("the fixture compiles")
}

const TEXT: &str = r#"
module fixture {
  yang-version 1.1;
  namespace "urn:fixture";
  prefix fx;
  import ietf-netconf-acm { prefix nacm; }
  import ietf-yang-types { prefix yang; }
  revision 2026-01-01;
  feature extra;
  feature absent;
  identity animal;
  identity cat { base animal; }
  identity dog { base animal; }

  container system {
    leaf name { type string; }
    leaf mtu { type uint16 { range "68..9000"; } default 1500; }
    leaf level { type int8; }
    leaf ratio { type decimal64 { fraction-digits 3; } }
    leaf enabled { type boolean; default true; }
    leaf mode { type enumeration { enum fast; enum slow; } default slow; }
    leaf pet { type identityref { base animal; } }
    leaf target { type instance-identifier { require-instance false; } }
    leaf marker { type empty; }
    leaf blob { type binary; }
    leaf options { type bits { bit a; bit b; } }
    leaf either { type union { type int32; type identityref { base animal; } type string; } }
    leaf code { type string { pattern "[a-z]+"; length 1..8; } }
    leaf since { type yang:date-and-time; }
    leaf extra { if-feature extra; type string; }
    leaf absent { if-feature absent; type string; }
    leaf secret { nacm:default-deny-all; type string; }
    leaf guarded { nacm:default-deny-write; type string; }
    leaf-list tag { type string; }
    leaf-list search { ordered-by user; type string; }
    leaf-list port { type uint16; default 80; default 443; }
    container plain { leaf inner { type string; default "dflt"; } }
    container present { presence "here"; leaf inner { type string; default "dflt"; } }
    choice transport {
      default tcp;
      case tcp { leaf tcp-port { type uint16; default 830; } leaf tcp-host { type string; } }
      case udp { leaf udp-port { type uint16; } leaf udp-host { type string; } }
    }
    anydata any;
    leaf uptime { config false; type uint64; units "seconds"; }
  }
  container servers {
    list server {
      key name;
      unique "address";
      leaf name { type string; }
      leaf address { type string; }
      leaf port { type uint16; default 22; }
      leaf weight { type uint8; when "../port != 22"; }
      leaf backup { type leafref { path "../../server/name"; } }
      container statistics { config false; leaf hits { type uint64; } }
    }
    list rule {
      key "id sub";
      ordered-by user;
      leaf id { type uint8; }
      leaf sub { type string; }
      leaf action { type string; mandatory true; }
    }
    list sample { config false; leaf at { type uint32; } leaf value { type int32; } }
    must "count(server) <= 3" { error-message "At most three servers."; error-app-tag "too-many-servers"; }
  }
  rpc restart {
    input { leaf delay { type uint32; units "seconds"; default 5; } leaf reason { type string; mandatory true; } }
    output { leaf job { type string; } }
  }
  notification started { leaf job { type string; } leaf pet { type identityref { base animal; } } }
}
"#;
