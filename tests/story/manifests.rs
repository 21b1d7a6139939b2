//! A folder of manifests: the trigger `alert`, three channels, the scenarios `storm` and `briefing`.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::checker::{Mark, Story};
use crate::story::Customers;

/// The steps of `storm` by place: the first node is the condition.
pub const STORM_STEPS: [Option<&str>; 4] = [None, Some("sms"), Some("mail"), Some("hook")];

/// The folder.
pub struct Manifests {
    /// Where it is.
    pub folder: PathBuf,
    /// The channels' window.
    pub window: u32,
}

impl Manifests {
    /// Writes the folder with the first version of everything, and the customers in `data/`. `channel` is added to the spec of each channel, as
    /// in `retry: {attempts: 2}`.
    pub fn write(folder: &Path, customers: Customers, window: u32, channel: &str) -> Self {
        customers.write(folder);
        fs::write(folder.join("trigger.yaml"), TRIGGER).unwrap();
        fs::write(folder.join("secrets.yaml"), SECRETS).unwrap();
        let mut channels = String::new();
        for (name, provider) in CHANNELS {
            channels.push_str(&format!(
                "---\napiVersion: fanfare.dev/v1alpha1\nkind: Channel\nmetadata: {{name: {name}}}\n\
                 spec:\n  window: {window}\n  {provider}\n  {channel}\n"
            ));
        }
        fs::write(folder.join("channels.yaml"), channels).unwrap();
        let manifests = Self { folder: folder.to_owned(), window };
        manifests.edit_storm(1);
        manifests.write_whole("briefing.yaml", &briefing());
        manifests
    }

    /// Writes another version of `storm`: the marks say `v<version>`, and all nodes have other names.
    pub fn edit_storm(&self, version: u32) {
        self.write_whole("storm.yaml", &storm(version));
    }

    /// Adds the scenario `follow-up`, in which everyone waits before the first message and before the second.
    pub fn add_follow_up(&self) {
        self.write_whole("follow-up.yaml", &follow_up());
    }

    /// What the checker has to know about the scenarios, `follow-up` among them.
    pub fn stories_with_follow_up(customers: Customers) -> BTreeMap<String, Story> {
        let steps = [None, Some("first"), None, Some("second")];
        let follow_up = Story::new(&steps, &[&["first", "second"]], customers.with_a_car());
        let mut stories = Self::stories(customers);
        stories.insert("follow-up".to_owned(), follow_up);
        stories
    }

    /// What the checker has to know about both scenarios.
    pub fn stories(customers: Customers) -> BTreeMap<String, Story> {
        let storm = Story::new(&STORM_STEPS, &[&["sms"], &["mail", "hook"]], customers.in_the_north());
        let briefing = Story::new(&[Some("note")], &[&["note"]], customers.with_a_car());
        BTreeMap::from([("storm".to_owned(), storm), ("briefing".to_owned(), briefing)])
    }

    /// As an editor does: whoever reads sees the old file or the new one.
    fn write_whole(&self, name: &str, text: &str) {
        let draft = self.folder.join(format!(".{name}.part"));
        fs::write(&draft, text).unwrap();
        fs::rename(&draft, self.folder.join(name)).unwrap();
    }
}

fn storm(version: u32) -> String {
    let mark = |step| Mark::template("storm", &format!("v{version}"), step);
    let (sms, mail, hook) = (mark("sms"), mark("mail"), mark("hook"));
    format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {{name: storm}}
spec:
  triggers:
  - triggerRef: {{name: alert}}
  audience:
    where: customer.region == params.region
  nodes:
  - name: reach-{version}
    condition:
      if: customer.phone is defined and consents.sms
      else: by-mail-{version}
  - name: by-sms-{version}
    message:
      channelRef: {{name: sms}}
      consent: sms
      sms:
        body: 'Stay home. {sms}'
    next: End
  - name: by-mail-{version}
    message:
      channelRef: {{name: mail}}
      consent: None
      email:
        subject: 'A storm is coming to the {{{{ params.region }}}}'
        text: 'You looked {{{{ events("clicked").count() }}}} times. {mail}'
  - name: by-hook-{version}
    message:
      channelRef: {{name: hook}}
      consent: None
      webhook:
        body: '{{"mark": "{hook}"}}'
"#
    )
}

fn briefing() -> String {
    let mark = Mark::template("briefing", "v1", "note");
    format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {{name: briefing}}
spec:
  triggers:
  - triggerRef: {{name: alert}}
  audience:
    where: events("policy_purchased", product="car").count() > 0
  nodes:
  - name: note
    message:
      channelRef: {{name: mail}}
      consent: None
      email:
        subject: About your car
        text: 'Park under a roof. {mark}'
"#
    )
}

fn follow_up() -> String {
    let mark = |step| Mark::template("follow-up", "v1", step);
    let (first, second) = (mark("first"), mark("second"));
    format!(
        r#"apiVersion: fanfare.dev/v1alpha1
kind: Scenario
metadata: {{name: follow-up}}
spec:
  triggers:
  - triggerRef: {{name: alert}}
  audience:
    where: events("policy_purchased", product="car").count() > 0
  nodes:
  - name: calm-down
    wait: {{for: 300ms}}
  - name: first
    message:
      channelRef: {{name: mail}}
      consent: None
      email:
        subject: How is your car?
        text: 'Tell us. {first}'
  - name: take-your-time
    wait: {{for: 1s}}
  - name: second
    message:
      channelRef: {{name: hook}}
      consent: None
      webhook:
        body: '{{"mark": "{second}"}}'
"#
    )
}

const TRIGGER: &str = "apiVersion: fanfare.dev/v1alpha1
kind: ApiTrigger
metadata: {name: alert}
spec:
  parameters:
  - {name: region, type: string, example: north}
";

const CHANNELS: [(&str, &str); 3] = [
    (
        "sms",
        "twilio: {accountSid: AC0123456789abcdef0123456789abcdef, from: '+17165550199', \
         authToken: {secretKeyRef: {name: providers, key: token}}, baseUrl: 'http://sandbox'}",
    ),
    ("mail", "smtp: {host: sandbox, port: 25, tls: None, from: warnings@example.org}"),
    (
        "hook",
        "webhook: {url: 'http://sandbox/hooks/storm', \
         signingSecret: {secretKeyRef: {name: providers, key: signing}}}",
    ),
];

/// The signing secret is 32 bytes of ASCII, as Standard Webhooks writes them.
const SECRETS: &str = "apiVersion: v1
kind: Secret
metadata:
  name: providers
  labels: {fanfare.dev/allow: channel}
type: Opaque
stringData:
  token: any
  signing: whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=
";
