//! What holds of every condition, whatever is in it.

use proptest::prelude::*;

use super::random::{condition, params, person};
use super::*;

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), _) | (_, Some(false)) => Some(false),
        (Some(true), Some(true)) => Some(true),
        _ => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn conditions_follow_kleene(left in condition(), right in condition(), person in person(), params in params()) {
        let known = |source: String| decide(&source, &person, &params).known();
        let (a, b) = (known(left.clone()), known(right.clone()));
        prop_assert_eq!(known(format!("({left}) and ({right})")), and(a, b));
        prop_assert_eq!(known(format!("({right}) and ({left})")), and(a, b));
        let or = and(a.map(|a| !a), b.map(|b| !b)).map(|both_false| !both_false);
        prop_assert_eq!(known(format!("({left}) or ({right})")), or);
        prop_assert_eq!(known(format!("({right}) or ({left})")), or);
        prop_assert_eq!(known(format!("not ({left})")), a.map(|a| !a));
    }

    #[test]
    fn explaining_decides_the_same(source in condition(), person in person(), params in params()) {
        let condition = Condition::compile(&source, &scope()).unwrap();
        let call = call(&params);
        let facts = Facts::of_call(&call, NOW.parse().unwrap()).with_customer(&person);
        let (truth, steps) = condition.explain(facts);
        prop_assert_eq!(truth.known(), condition.decide(facts).known());
        for step in steps {
            prop_assert!(source.get(step.span.clone()).is_some_and(|text| !text.is_empty()), "{:?}", step);
        }
    }
}
