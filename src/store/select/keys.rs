//! Sets of customers as sorted keys without repetition, and what is done with them.

/// Sorts and removes repetition; most indexes lead to keys in order already.
pub(in crate::store) fn sorted(mut keys: Vec<i64>) -> Vec<i64> {
    if !keys.is_sorted() {
        keys.sort_unstable();
    }
    keys.dedup();
    keys
}

/// The keys in both of two sorted sets.
pub(in crate::store) fn intersection(mut some: Vec<i64>, others: &[i64]) -> Vec<i64> {
    let mut from = 0;
    some.retain(|key| {
        from += gallop(&others[from..], *key);
        others.get(from) == Some(key)
    });
    some
}

/// How many of the sorted keys are less than this one; quick when it is near the front.
fn gallop(keys: &[i64], key: i64) -> usize {
    let mut end = 1;
    while end < keys.len() && keys[end - 1] < key {
        end *= 2;
    }
    let end = end.min(keys.len());
    keys[..end].partition_point(|other| *other < key)
}

/// How often each key occurs, of keys in any order.
pub(in crate::store) fn occurrences(mut keys: Vec<i64>) -> Vec<(i64, i64)> {
    keys.sort_unstable();
    let count = |run: &[i64]| (run[0], i64::try_from(run.len()).unwrap_or(i64::MAX));
    keys.chunk_by(|left, right| left == right).map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intersects_whatever_lies_between() {
        let some: Vec<i64> = (0..1_000).step_by(3).collect();
        let others: Vec<i64> = (0..1_000).step_by(7).collect();
        let both: Vec<i64> = (0..1_000).step_by(21).collect();
        assert_eq!(intersection(some.clone(), &others), both);
        assert_eq!(intersection(others, &some), both);
        assert_eq!(intersection(vec![1, 2], &[]), Vec::<i64>::new());
    }

    #[test]
    fn counts_repetition() {
        assert_eq!(occurrences(vec![3, 1, 3, 3]), [(1, 1), (3, 3)]);
        assert_eq!(sorted(vec![3, 1, 3]), [1, 3]);
    }
}
