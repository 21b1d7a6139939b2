//! What a key may be used for.

/// Something that may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyPermission {
    /// Call triggers.
    Trigger = 1,
    /// Write customers and events.
    Track = 2,
    /// Read calls and deliveries.
    ReadLog = 4,
    /// Read customers.
    ReadCustomers = 8,
    /// Pause, resume, cancel, resend.
    Control = 16,
}

impl KeyPermission {
    /// Every permission.
    pub const ALL: [KeyPermission; 5] = [
        KeyPermission::Trigger,
        KeyPermission::Track,
        KeyPermission::ReadLog,
        KeyPermission::ReadCustomers,
        KeyPermission::Control,
    ];

    /// The word of the manifest.
    pub fn word(self) -> &'static str {
        match self {
            KeyPermission::Trigger => "Trigger",
            KeyPermission::Track => "Track",
            KeyPermission::ReadLog => "ReadLog",
            KeyPermission::ReadCustomers => "ReadCustomers",
            KeyPermission::Control => "Control",
        }
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// All of them.
    pub fn all() -> Self {
        KeyPermission::ALL.into_iter().collect()
    }

    /// Whether the permission is among them.
    pub fn allow(self, permission: KeyPermission) -> bool {
        self.0 & permission as u8 != 0
    }
}

impl FromIterator<KeyPermission> for Permissions {
    fn from_iter<T: IntoIterator<Item = KeyPermission>>(permissions: T) -> Self {
        Permissions(permissions.into_iter().fold(0, |set, permission| set | permission as u8))
    }
}
