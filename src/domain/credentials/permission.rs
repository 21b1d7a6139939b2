//! What a key may be used for.

/// Something that may be done with a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
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

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 5] = [
        Permission::Trigger,
        Permission::Track,
        Permission::ReadLog,
        Permission::ReadCustomers,
        Permission::Control,
    ];

    /// The word of the manifest.
    pub fn word(self) -> &'static str {
        match self {
            Permission::Trigger => "Trigger",
            Permission::Track => "Track",
            Permission::ReadLog => "ReadLog",
            Permission::ReadCustomers => "ReadCustomers",
            Permission::Control => "Control",
        }
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// All of them.
    pub fn all() -> Self {
        Permission::ALL.into_iter().collect()
    }

    /// Whether the permission is among them.
    pub fn allow(self, permission: Permission) -> bool {
        self.0 & permission as u8 != 0
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        Permissions(permissions.into_iter().fold(0, |set, permission| set | permission as u8))
    }
}
