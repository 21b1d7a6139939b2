//! `pg_terminate_backend` for some of the connections, whatever they are doing.

use super::Fault;
use crate::admin::Admin;
use crate::harness::Random;
use crate::world::World;

const TERMINATE: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE application_name LIKE 'fanfare%' AND hashint4extended(pid, $1) % 100 BETWEEN 0 AND $2";

pub struct Terminate {
    salt: i64,
    percent: i64,
}

impl Terminate {
    pub fn draw(random: &mut Random) -> Self {
        Self { salt: random.next_number().into(), percent: (5 + random.below(90)).into() }
    }
}

impl Fault for Terminate {
    fn name(&self) -> String {
        "terminate backends".to_owned()
    }

    fn strike(&self, world: &World<'_>) {
        Admin::of(&world.server).query(TERMINATE, &[&self.salt, &self.percent]);
    }
}
