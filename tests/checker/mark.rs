//! What the tests' manifests write into each message, so that the record alone says whose it is.

/// `[[call|scenario|version|step|customer]]`, in an SMS, a mail's text and a webhook's body.
///
/// A step is a message node by a name that stays when the node is renamed; the version is a label that each edit
/// of the scenario changes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mark {
    pub call: String,
    pub scenario: String,
    pub version: String,
    pub step: String,
    /// The customer's `registered` id.
    pub customer: String,
}

impl Mark {
    /// The template that renders a mark; customers carry their `registered` id as the attribute `n`.
    pub fn template(scenario: &str, version: &str, step: &str) -> String {
        format!("[[{{{{ call.id }}}}|{scenario}|{version}|{step}|{{{{ customer.n }}}}]]")
    }

    /// Finds the mark in a text.
    pub fn find(text: &str) -> Option<Self> {
        let (_, behind) = text.split_once("[[")?;
        let (mark, _) = behind.split_once("]]")?;
        let fields: Vec<&str> = mark.split('|').collect();
        let [call, scenario, version, step, customer] = fields.try_into().ok()?;
        let [call, scenario, version, step, customer] =
            [call, scenario, version, step, customer].map(str::to_owned);
        Some(Self { call, scenario, version, step, customer })
    }
}
