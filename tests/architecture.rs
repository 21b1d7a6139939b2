//! The shape of the code as a test: which module may know which, how long a file and a function may be, and a few
//! habits that no lint checks. A failure says what to do about it.

#[path = "architecture/budgets.rs"]
mod budgets;
#[path = "architecture/circles.rs"]
mod circles;
#[path = "architecture/habits.rs"]
mod habits;
#[path = "architecture/layers.rs"]
mod layers;
#[path = "architecture/map.rs"]
mod map;
#[path = "architecture/mentions.rs"]
mod mentions;
#[path = "architecture/names.rs"]
mod names;
#[path = "architecture/readers.rs"]
mod readers;
#[path = "architecture/repeatable.rs"]
mod repeatable;
#[path = "architecture/source.rs"]
mod source;
#[path = "architecture/statements.rs"]
mod statements;

use source::Source;

fn complaints(title: &str, found: &[String]) {
    assert!(found.is_empty(), "{title}:\n\n  {}\n", found.join("\n  "));
}

fn over_all(check: impl Fn(&Source) -> Vec<String>) -> Vec<String> {
    source::all().iter().flat_map(check).collect()
}

#[test]
fn a_layer_knows_only_the_layers_below_it() {
    complaints("layers are crossed", &over_all(layers::check));
}

#[test]
fn every_module_of_the_library_has_its_layer() {
    complaints("modules without a layer", &layers::unlisted(&source::all()));
}

#[test]
fn no_files_take_from_each_other_in_a_circle() {
    complaints("circles", &circles::check(&source::all()));
}

#[test]
fn a_public_type_name_is_defined_once() {
    complaints("names with two meanings", &names::defined_twice(&source::all()));
}

#[test]
fn the_map_has_every_module_and_no_other() {
    complaints("the map of ARCHITECTURE.md", &map::check());
}

#[test]
fn statements_name_states() {
    complaints("states as bare numbers", &over_all(statements::bare_numbers));
}

#[test]
fn the_kinds_have_no_behaviour() {
    complaints("the kinds are plain data", &over_all(layers::check_kinds));
}

#[test]
fn files_and_functions_stay_within_their_budget() {
    complaints("over budget", &over_all(budgets::check));
}

#[test]
fn exceptions_to_the_budget_are_still_needed() {
    complaints("exceptions nobody needs", &budgets::stale_exceptions(&source::all()));
}

#[test]
fn nothing_outside_tests_panics_on_purpose() {
    complaints("panics", &over_all(habits::panics));
}

#[test]
fn one_function_reads_every_expression_and_template() {
    complaints("texts read elsewhere", &over_all(readers::others));
}

#[test]
fn the_engine_chooses_nothing_at_random() {
    complaints("choices at random", &over_all(repeatable::random_choices));
}

#[test]
fn the_engine_asks_one_clock() {
    complaints("other clocks", &over_all(repeatable::other_clocks));
}

#[test]
fn whoever_may_ask_another_clock_does() {
    complaints("exceptions nobody needs", &repeatable::stale_exceptions(&source::all()));
}

#[test]
fn no_error_is_printed_as_a_value_of_this_program() {
    complaints("errors by Debug", &over_all(habits::dumped_errors));
}

#[test]
fn a_module_begins_by_saying_what_it_is() {
    complaints("no header", &over_all(habits::header));
}

#[test]
fn no_path_of_one_machine_is_written_down() {
    complaints("paths of one machine", &habits::machine_paths());
}
