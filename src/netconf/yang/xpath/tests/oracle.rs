//! The same expressions on the same data, here and in libyang.

use super::*;
use crate::yang::ffi::oracle::ParsedData;

/// Data in both forms.
struct Both {
    /// Goes before the schema does.
    theirs: ParsedData,
    ours: Tree,
    /// All nodes here.
    document: Vec<String>,
    /// libyang's node-sets are in document order too. They are not behind `//*/*`, and modules are ordered by name there.
    ordered: bool,
}

fn both(schema: &Arc<Schema>, xml: &str) -> Both {
    let within = format!("<data>{xml}</data>");
    let document = Document::parse(&within, &Limits::default()).unwrap();
    let ours = edit::read_data(schema, document.root()).unwrap_or_else(|errors| panic!("{errors:?}"));
    let document = paths(&ours, "//*");
    Both { theirs: ParsedData::parse(schema.context(), xml).unwrap(), document, ordered: false, ours }
}

/// How many nodes both select; panics where they differ.
fn agree(both: &Both, expression: &str) -> usize {
    let theirs = both.theirs.find(both.ours.schema().context(), expression);
    let mut theirs = theirs.unwrap_or_else(|fault| panic!("{expression}: libyang says {fault}"));
    let mut ours = paths(&both.ours, expression);
    // libyang has no node for the root.
    ours.retain(|path| path != "/");
    if !both.ordered {
        let all = &both.document;
        let places: Vec<usize> = ours.iter().map(|path| all.iter().position(|p| p == path).expect("a node")).collect();
        assert!(places.is_sorted_by(|a, b| a < b), "{expression} is not in document order: {ours:?}");
        ours.sort();
        theirs.sort();
    }
    assert_eq!(ours, theirs, "{expression} (ours left, libyang's right)");
    ours.len()
}

const SERVERS: &str = "<system xmlns='urn:fixture' xmlns:fx='urn:fixture'><name>box</name><level>-5</level><ratio>2.5</ratio>\
    <mode>fast</mode><pet>fx:cat</pet><options>a b</options><either>7</either><tag>x</tag><tag>y</tag><search>q</search>\
    <search>p</search><plain><inner>deep</inner></plain><udp-port>7</udp-port></system><servers xmlns='urn:fixture'>\
    <server><name>a</name><address>10.0.0.1</address><port>80</port><weight>3</weight><statistics><hits>7</hits></statistics></server>\
    <server><name>b</name><address>10.0.0.2</address><backup>a</backup></server>\
    <server><name>c</name><port>443</port><backup>b</backup></server>\
    <rule><id>2</id><sub>z</sub><action>drop</action></rule><rule><id>1</id><sub>y</sub><action>keep</action></rule>\
    <rule><id>1</id><sub>z</sub><action>keep</action></rule>\
    <sample><at>1</at><value>-1</value></sample><sample><at>2</at><value>7</value></sample></servers>";

/// `F:` stands for the module's prefix.
const EXPRESSIONS: &[&str] = &[
    "/F:system",
    "/F:system/*",
    "/*",
    "/*/*",
    "//*",
    "//F:name",
    "//F:server/F:name",
    "/F:servers//F:name",
    "/F:servers/F:server[F:name='b']",
    "/F:servers/F:server[F:name='b']/F:backup",
    "/F:servers/F:server[F:name='nobody']",
    "/F:servers/F:rule[F:id='1'][F:sub='z']",
    "/F:servers/F:rule[F:sub='z' and F:id='1']/F:action",
    "/F:servers/F:rule[F:id='1']",
    "/F:servers/F:rule[F:sub='z']/F:id",
    "/F:servers/F:server[1]",
    "/F:servers/F:server[2]/F:address",
    "/F:servers/F:server[last()]",
    "/F:servers/F:server[position()=2]",
    "/F:servers/F:server[position()>1]",
    "/F:servers/F:server[position()!=last()]",
    "/F:servers/F:server[last()-1]",
    "/F:servers/*[3]",
    "/F:servers/F:sample[2]/F:value",
    "/F:servers/F:server[F:port]",
    "/F:servers/F:server[not(F:port)]",
    "/F:servers/F:server[F:port=80]",
    "/F:servers/F:server[F:port>80]",
    "/F:servers/F:server[F:port>=80][F:backup]",
    "/F:servers/F:server[F:port<100 or F:backup='a']",
    "/F:servers/F:server[F:port and F:address]",
    "/F:servers/F:server[F:name!='a']",
    "/F:servers/F:server[F:backup=../F:server/F:name]",
    "/F:servers/F:server[F:name=../F:server/F:backup]",
    "/F:servers/F:server[F:name=/F:servers/F:server[F:name='c']/F:backup]",
    "/F:servers/F:server[count(*)=4]",
    "/F:servers/F:server[count(*)>4]/F:name",
    "/F:servers[count(F:server)=3]",
    "/F:servers[sum(F:server/F:port)=523]/F:rule",
    "/F:servers/F:server[string-length(F:address)=8]",
    "/F:servers/F:server[starts-with(F:address,'10.0.')]",
    "/F:servers/F:server[contains(F:address,'.2')]/F:name",
    "/F:servers/F:server[substring(F:address,8)='2']/F:name",
    "/F:servers/F:server[substring-after(F:address,'10.0.')='0.1']",
    "/F:servers/F:server[substring-before(F:address,'.0.0')='10']",
    "/F:servers/F:server[concat(F:name,'-',F:port)='a-80']",
    "/F:servers/F:server[translate(F:name,'abc','xyz')='y']",
    "/F:servers/F:server[normalize-space(concat(' ',F:name,'  '))='c']",
    "/F:servers/F:server[number(F:port) mod 2 = 1]/F:name",
    "/F:servers/F:server[F:port div 8 = 10]",
    "/F:servers/F:server[F:port * 2 = 160]",
    "/F:servers/F:server[F:port - 3 = 77]",
    "/F:servers/F:server[-F:port = -80]",
    "/F:servers/F:server[floor(F:port div 100)=4]",
    "/F:servers/F:server[ceiling(F:port div 100)=1]",
    "/F:servers/F:server[round(F:port div 100)=4]",
    "/F:servers/F:server[boolean(F:weight)]",
    "/F:servers/F:server[true()]",
    "/F:servers/F:server[false()]",
    "/F:servers/F:server[string(F:weight)='3']",
    "/F:servers/F:server[re-match(F:address,'10\\.[0-9.]*1')]",
    "/F:servers/F:server/F:port[.>100]",
    "/F:servers/F:server/F:port[.=80]/..",
    "/F:servers/F:server/F:port/../F:name",
    "/F:servers/F:server/F:port/parent::F:server",
    "/F:servers/F:server/F:port/parent::*",
    "/F:servers/F:server/F:port/ancestor::*",
    "/F:servers/F:server/F:port/ancestor::F:servers",
    "/F:servers/F:server/F:port/ancestor-or-self::*",
    "/F:servers/F:server/F:statistics/F:hits/ancestor::F:server/F:name",
    "/F:servers/descendant::F:name",
    "/F:servers/descendant::*",
    "/F:servers/descendant-or-self::*",
    "/F:servers/F:server/self::F:server",
    "/F:servers/*/self::F:rule",
    "/F:servers/child::F:server/child::F:name",
    "/F:servers/F:server[F:name='a']/following-sibling::F:server",
    "/F:servers/F:server[F:name='b']/following-sibling::*",
    "/F:servers/F:server[F:name='c']/preceding-sibling::F:server",
    "/F:servers/F:server[F:name='c']/preceding-sibling::*",
    "/F:servers/F:server[F:name='b']/following::F:action",
    "/F:servers/F:server[F:name='b']/preceding::F:name",
    "/F:servers/F:server[F:name='b']/F:address/following-sibling::*",
    "/F:servers/F:server[F:name='b']/F:backup/preceding-sibling::*",
    "/F:servers/F:rule[F:id=2]/following-sibling::F:rule/F:action",
    "/F:system/F:tag",
    "/F:system/F:tag[.='y']",
    "/F:system/F:tag[1]",
    "/F:system/F:search",
    "/F:system/F:search[last()]",
    "/F:system/F:tag[.='x']/following-sibling::F:search",
    "/F:system/F:search/preceding-sibling::F:tag",
    "/F:system[F:tag='x']/F:name",
    "/F:system[F:tag!='x']/F:name",
    "/F:system[F:level<0]/F:level",
    "/F:system[F:ratio=2.5]/F:ratio",
    "/F:system[F:pet='F:cat']/F:pet",
    "/F:system[derived-from(F:pet,'F:animal')]/F:pet",
    "/F:system[derived-from(F:pet,'F:cat')]/F:pet",
    "/F:system[derived-from-or-self(F:pet,'F:cat')]/F:pet",
    "/F:system[enum-value(F:mode)=0]/F:mode",
    "/F:system[bit-is-set(F:options,'a')]/F:options",
    "/F:system[bit-is-set(F:options,'c')]/F:options",
    "/F:system/F:plain/F:inner | /F:system/F:name",
    "/F:servers/F:rule | /F:servers/F:server | /F:system",
    "//F:inner/..",
    "//F:server[F:port]/..",
    "//F:server[F:weight='3']/F:statistics/F:hits",
    "//*[.='a']",
    "//*[local-name()='name']",
    "//*[F:name]",
    "//*[F:name='a' or F:name='box']",
    "//*[self::F:name or self::F:port][.='80' or .='a']",
    "/F:servers/F:server[deref(F:backup)/../F:port=80]",
    "deref(/F:servers/F:server[F:name='c']/F:backup)",
    "deref(/F:servers/F:server[F:name='c']/F:backup)/../F:address",
    "(/F:servers/F:server | /F:servers/F:rule)[2]",
    "(//F:name)[last()]",
    "/F:servers/F:server[F:name=current()/F:servers/F:server/F:backup]",
    "/F:servers/F:server[../F:rule[F:id=2]/F:action='drop']/F:name",
    "/F:servers/F:server[F:port=80 or (F:backup and not(F:address))]/F:name",
    "/F:system/F:udp-port/..",
    "/F:system/F:uptime",
];

#[test]
fn the_fixture() {
    let data = Both { ordered: true, ..both(&fixture::schema(), SERVERS) };
    assert!(EXPRESSIONS.len() >= 100);
    let found: usize = EXPRESSIONS.iter().map(|expression| agree(&data, &expression.replace("F:", "fixture:"))).sum();
    assert!(found > 300, "{found}");
}

/// The models and examples of this project.
#[test]
fn real_models() {
    let yang = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../yang");
    let examples = ["qkdn-mq.data", "qkdn-mk.data", "qkdn-manager.data", "qkdn-alarms.data", "qkdn-common.data"];
    let mut builder = Schema::builder().standard().search_dir(&yang);
    for module in ["mq", "mk", "manager", "alarms", "common", "types", "performance"] {
        builder = builder.module(&format!("qkdn-{module}"), None, &["*"]);
    }
    for module in ["ietf-alarms", "ietf-network-topology"] {
        builder = builder.module(module, None, &["*"]);
    }
    let schema = builder.build().unwrap();
    let read = |name: &&str| std::fs::read_to_string(yang.join(format!("examples/{name}.xml"))).unwrap();
    let data = both(&schema, &examples.iter().map(read).collect::<String>());
    let mut found = 0;
    for expression in [
        "/*",
        // The text of an XPath value is not canonical in libyang.
        "//*[not(self::ietf-alarms:resource)]",
        "//ietf-alarms:alarm",
        "/ietf-alarms:alarms/alarm-list/alarm[perceived-severity='major']",
        "//ietf-alarms:alarm[ietf-alarms:alarm-type-id='qkdn-alarms:qber-threshold-exceeded']/ietf-alarms:resource",
        "//ietf-alarms:alarm-type[ietf-alarms:will-clear='true']/ietf-alarms:severity-level",
        "//ietf-alarms:status-change[ietf-alarms:perceived-severity!='cleared']/ietf-alarms:time",
        "//*[derived-from(ietf-alarms:alarm-type-id,'ietf-alarms:alarm-type-id')]/ietf-alarms:time-created",
        "/qkdn-mq:qkd-module/qkdn-mq:state/*[.='true']",
        "/qkdn-mq:qkd-module/qkdn-mq:state[qkdn-mq:qber>3]/qkdn-mq:qber",
        "/qkdn-mq:qkd-module/qkdn-mq:state[qkdn-mq:qber>3.5]/qkdn-mq:qber",
        "//qkdn-mq:supported-protocol[2]",
        "//qkdn-mq:resource[qkdn-mq:resource-id='urn:qkdn:example:module:a-1']/qkdn-mq:peer",
        "//qkdn-mq:*[.>100000][not(*)]",
        "//qkdn-mq:counters/*/*[.=0]",
        "/qkdn-mk:key-manager/qkdn-mk:state/qkdn-mk:key-store[qkdn-mk:residual-keys>1000]/qkdn-mk:level",
        "//qkdn-mk:key-life-cycle/*[. > ../qkdn-mk:supplied]",
        "//qkdn-manager:resource[qkdn-manager:layer='quantum']/qkdn-manager:device",
        "//qkdn-manager:run[qkdn-manager:step/qkdn-manager:actor='qlm']/qkdn-manager:step[last()]/qkdn-manager:text",
        "//qkdn-manager:step[qkdn-manager:peer][1]",
        "//qkdn-manager:inconsistency[count(qkdn-manager:resource-id)=2]/qkdn-manager:text",
        "//ietf-network:network/ietf-network:node",
        "//ietf-network:node[ietf-network-topology:termination-point]/ietf-network:node-id",
        "//ietf-network:network[ietf-network:network-types/qkdn-manager:qkdn]/ietf-network:network-id",
        "/ietf-network:networks/network/ietf-network-topology:link/destination/dest-node",
        "//ietf-network:supporting-network/../ietf-network:network-id",
        "//*[starts-with(name(),'none')]",
        "//*[contains(.,'bb84')][not(*)]",
    ] {
        // Names without a prefix are the parent's module's in libyang, and of any module here.
        found += agree(&data, expression);
    }
    assert!(found > 300, "{found}");
}

/// Numbers from a seed, the same in each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as usize % bound
    }

    fn one<'o>(&mut self, of: &[&'o str]) -> &'o str {
        of[self.below(of.len())]
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn data(&mut self) -> String {
        let mut xml = String::from("<system xmlns='urn:fixture'>");
        for (name, value) in [
            ("name", "a"),
            ("level", "1"),
            ("mode", "slow"),
            ("tag", "a"),
            ("tag", "b"),
            ("search", "b"),
            ("search", "a"),
        ] {
            if self.chance(60) {
                xml += &format!("<{name}>{value}</{name}>");
            }
        }
        if self.chance(50) {
            xml += "<present/>";
        }
        xml += "</system><servers xmlns='urn:fixture'>";
        for name in ["a", "b", "c", "d", "e"] {
            if self.chance(70) {
                xml += &format!("<server><name>{name}</name>");
                if self.chance(50) {
                    xml += &format!("<address>{}</address>", self.one(&["a", "b", "10"]));
                }
                if self.chance(50) {
                    xml += &format!("<port>{}</port>", self.below(4));
                }
                if self.chance(50) {
                    xml += &format!("<backup>{}</backup>", self.one(&["a", "b", "c"]));
                }
                xml += "</server>";
            }
        }
        for (id, sub) in [(2, "b"), (1, "b"), (1, "a")] {
            if self.chance(70) {
                xml += &format!("<rule><id>{id}</id><sub>{sub}</sub><action>{}</action></rule>", self.one(&["a", "b"]));
            }
        }
        xml + "</servers>"
    }

    fn name(&mut self) -> String {
        let name = self.one(&[
            "server", "server", "rule", "name", "port", "backup", "address", "id", "tag", "system", "servers", "*",
        ]);
        if name == "*" { name.into() } else { format!("fixture:{name}") }
    }

    fn steps(&mut self, depth: usize) -> String {
        let mut text = String::new();
        for i in 0..1 + self.below(3) {
            if i > 0 {
                text.push('/');
            }
            text += &match self.below(10) {
                0 => "..".into(),
                1 => format!("descendant::{}", self.name()),
                // In libyang the root is a `*`.
                2 => format!("ancestor::fixture:{}", self.one(&["server", "servers", "system", "rule"])),
                3 => format!("following-sibling::{}", self.name()),
                4 => format!("preceding-sibling::{}", self.name()),
                5 => format!("self::fixture:{}", self.one(&["server", "name", "port", "rule"])),
                _ => self.name(),
            };
            if !text.ends_with('.') && depth > 0 && self.chance(45) {
                text += &format!("[{}]", self.predicate(depth - 1));
            }
        }
        text
    }

    fn leaf(&mut self, depth: usize) -> String {
        let leaf = self.one(&["name", "port", "backup", "address", "id", "sub", "action", "tag", "search", "level"]);
        match self.below(3) {
            0 if depth > 0 => format!("{}/fixture:{leaf}", self.steps(depth)),
            1 => format!("../fixture:{leaf}"),
            _ => format!("fixture:{leaf}"),
        }
    }

    fn position(&mut self) -> String {
        match self.below(3) {
            0 => format!("{}", 1 + self.below(3)),
            1 => "last()".into(),
            _ => format!("position() {} {}", self.one(&["<", ">", "!="]), 1 + self.below(3)),
        }
    }

    fn predicate(&mut self, depth: usize) -> String {
        match self.below(8) {
            0 => format!("not({})", self.steps(depth)),
            1 => format!("count({}) {} {}", self.steps(depth), self.one(&["=", "<", ">="]), self.below(3)),
            2 => format!("{} and {}", self.steps(depth), self.steps(depth)),
            // The text of what is no leaf has white space in libyang.
            3 => format!("{} or not(*) and . = '{}'", self.steps(depth), self.one(&["a", "b", "1"])),
            4 => format!("{} {} {}", self.leaf(depth), self.one(&["=", "!=", "<", "<="]), self.leaf(depth)),
            5 => format!("{} {} {}", self.leaf(depth), self.one(&["=", "!=", ">", "<"]), self.below(4)),
            _ => format!("{} = '{}'", self.leaf(0), self.one(&["a", "b", "1", "2"])),
        }
    }

    fn expression(&mut self) -> String {
        // Behind `//`, and for each of several parents, libyang counts positions across them all.
        if self.chance(30) {
            let (name, position) = (self.name(), self.position());
            let predicate = if self.chance(50) { format!("[{}]", self.predicate(1)) } else { String::new() };
            return match self.below(3) {
                0 => format!("/fixture:servers/{name}[{position}]{predicate}/{}", self.steps(1)),
                1 => format!("/fixture:servers/{name}{predicate}[{position}]"),
                _ => format!("(//{name}{predicate})[{position}]"),
            };
        }
        let path = self.steps(2);
        // A leaf is the parent of its text, which libyang has no node for.
        let start = if path.starts_with("..") { "/" } else { self.one(&["/", "//"]) };
        if self.chance(15) { format!("{start}{path} | //*/{}", self.steps(1)) } else { format!("{start}{path}") }
    }
}

#[test]
fn generated_expressions_on_generated_data() {
    let schema = fixture::schema();
    let mut numbers = Numbers(6241);
    let mut found = 0;
    for _ in 0..40 {
        let data = both(&schema, &numbers.data());
        for _ in 0..50 {
            let expression = numbers.expression();
            found += agree(&data, &expression);
        }
    }
    assert!(found > 1000, "{found}");
}
