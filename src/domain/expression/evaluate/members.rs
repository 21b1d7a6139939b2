//! Membership in long lists: 50,000 postcodes are sorted once, not compared with each of a million customers.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::sync::Arc;

use crate::domain::value::{Members, Value};

/// Up to this length looking at each element is as fast, and no customer's own list is longer.
const LOOKED_THROUGH_MAX: usize = 256;

/// How many lists a thread keeps sorted: those of the few runs it takes turns with.
const KEPT_MAX: usize = 4;

/// A list with the order of its elements. Holding the list keeps its address from being given to another.
type Sorted = (Arc<[Value]>, Box<[u32]>);

thread_local! {
    static SORTED: RefCell<Vec<Sorted>> = const { RefCell::new(Vec::new()) };
}

/// Whether an element of the list is equal: of the same kind, and of the same value.
pub(super) fn holds(list: &Arc<[Value]>, item: &Value) -> bool {
    if list.len() <= LOOKED_THROUGH_MAX || u32::try_from(list.len()).is_err() {
        return list.iter().any(|element| element == item);
    }
    SORTED.with_borrow_mut(|kept| {
        let at = kept.iter().position(|(known, _)| Arc::ptr_eq(known, list));
        let at = at.unwrap_or_else(|| {
            if kept.len() == KEPT_MAX {
                kept.remove(0);
            }
            kept.push((Arc::clone(list), sorted(list)));
            kept.len() - 1
        });
        kept[at].1.binary_search_by(|index| total_order(&list[*index as usize], item)).is_ok()
    })
}

fn sorted(list: &[Value]) -> Box<[u32]> {
    // Longer lists are looked through, so every index fits.
    let mut order: Vec<u32> = (0..list.len()).map_while(|index| u32::try_from(index).ok()).collect();
    order.sort_unstable_by(|left, right| total_order(&list[*left as usize], &list[*right as usize]));
    order.into()
}

/// Members without the order in which they were written, which does not count.
fn by_name(members: &Members) -> Vec<(&String, &Value)> {
    let mut members: Vec<_> = members.iter().collect();
    members.sort_unstable_by_key(|(name, _)| *name);
    members
}

/// An order of all values that finds those equal which are equal; it has no other meaning.
fn total_order(left: &Value, right: &Value) -> Ordering {
    match (left, right) {
        (Value::Text(left), Value::Text(right)) => left.cmp(right),
        (Value::Number(left), Value::Number(right)) => left.cmp(right),
        (Value::Boolean(left), Value::Boolean(right)) => left.cmp(right),
        (Value::Timestamp(left), Value::Timestamp(right)) => left.cmp(right),
        (Value::List(left), Value::List(right)) => {
            let differing = left.iter().zip(right.iter()).map(|(left, right)| total_order(left, right));
            differing.into_iter().find(|order| order.is_ne()).unwrap_or(left.len().cmp(&right.len()))
        }
        (Value::Object(left), Value::Object(right)) => {
            let pairs = by_name(left).into_iter().zip(by_name(right));
            let mut differing =
                pairs.map(|(left, right)| left.0.cmp(right.0).then_with(|| total_order(left.1, right.1)));
            differing.find(|order| order.is_ne()).unwrap_or(left.len().cmp(&right.len()))
        }
        _ => left.kind().cmp(&right.kind()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn long_lists_hold_what_short_ones_hold() {
        let value = |json| Value::from_json(&json).unwrap().unwrap();
        let odd = [
            json!("7"),
            json!(2.0),
            json!(true),
            json!([1, "a"]),
            json!({"a": 1}),
            json!(9007199254740993_i64),
        ];
        let many = (0..1_000).map(|number| Value::integer(number * 2 + 100));
        let list: Arc<[Value]> = many.chain(odd.iter().cloned().map(value)).collect();
        let probes = [
            json!(7),
            json!(2),
            json!(1),
            json!([1]),
            json!({"a": "1"}),
            json!(9007199254740992.0),
            json!(101),
        ];
        for probe in odd.into_iter().chain(probes).chain((90..300).map(|number| json!(number))) {
            let probe = value(probe);
            assert_eq!(holds(&list, &probe), list.contains(&probe), "{probe:?}");
        }
    }

    #[test]
    fn another_list_is_not_mistaken_for_one_that_is_gone() {
        for round in 0..20_i64 {
            let list: Arc<[Value]> = (round * 1_000..round * 1_000 + 500).map(Value::integer).collect();
            assert!(holds(&list, &Value::integer(round * 1_000)));
            assert!(!holds(&list, &Value::integer(round * 1_000 + 500)));
        }
    }
}
