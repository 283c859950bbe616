use super::*;

const DAY: f64 = 1_700_000_000.0;

/// Trials of 30 s, one every minute, in this order: group and number.
fn ran<'a>(order: &[(&'a str, Option<u64>)]) -> Vec<Known<'a>> {
    let known = |(at, (group, number)): (usize, &(&'a str, Option<u64>))| {
        let from = DAY + 60.0 * at as f64;
        let time = Some((from, from + 30.0));
        Known { group, session: None, number: *number, stamp: number.is_none(), time }
    };
    order.iter().enumerate().map(known).collect()
}

fn auto(trials: &[Known<'_>]) -> Pairing {
    pair(trials, Asked::Auto, &Counted::Open).unwrap()
}

fn numbers(order: &[(&'static str, u64)]) -> Vec<Known<'static>> {
    ran(&order.iter().map(|(group, n)| (*group, Some(*n))).collect::<Vec<_>>())
}

#[test]
fn numbers_are_blocks_where_their_trials_ran_one_after_the_other() {
    let mut order = Vec::new();
    for n in 0..10 {
        let mut block = [("a", n), ("b", n), ("c", n)];
        block.rotate_left(n as usize % 3);
        // Two trials of three groups were lost.
        order.extend(block.into_iter().filter(|t| ![("a", 4), ("c", 7)].contains(t)));
    }
    let found = auto(&numbers(&order));
    assert_eq!(found.how, How::Number, "{}", found.why);
    assert_eq!(found.blocks[0], Some(0));
    assert!(found.why.starts_with("10 of the 10 numbers"), "{}", found.why);
}

#[test]
fn a_trial_that_was_repeated_at_the_end_unpairs_nothing() {
    let mut order: Vec<(&str, u64)> = (1..=9).flat_map(|n| [("a", n), ("b", n)]).collect();
    order.retain(|t| *t != ("b", 3));
    order.push(("b", 3));
    let found = auto(&numbers(&order));
    assert_eq!(found.how, How::Number, "{}", found.why);
    assert!(found.why.starts_with("8 of the 9 numbers"), "{}", found.why);
}

#[test]
fn groups_that_ran_one_after_the_other_have_no_blocks() {
    let order: Vec<(&str, u64)> =
        ["a", "b", "c"].into_iter().flat_map(|group| (1..=8).map(move |n| (group, n))).collect();
    let found = auto(&numbers(&order));
    assert_eq!(found.how, How::None);
    assert!(found.why.starts_with("0 of the 8 numbers"), "{}", found.why);
    assert!(found.why.contains("--pairing number"));
    assert!(found.blocks.iter().all(Option::is_none));
    let forced = pair(&numbers(&order), Asked::Number, &Counted::Open).unwrap();
    assert_eq!((forced.how, forced.blocks[9]), (How::Number, Some(2)));
}

#[test]
fn coincidences_of_numbers_that_run_through_all_groups_are_no_blocks() {
    // 21 trials numbered as they ran, each in one group; 3, 9 and 15 were used twice in a row.
    let mut order = Vec::new();
    for n in 1..=18 {
        order.push((if n % 5 < 3 { "a" } else { "b" }, n));
        if n % 6 == 3 {
            order.push((if n % 5 < 3 { "b" } else { "a" }, n));
        }
    }
    let found = auto(&numbers(&order));
    assert_eq!(found.how, How::None);
    assert!(found.why.contains("3 of the 3 numbers"), "{}", found.why);
    assert!(found.why.contains("6 of 21 trials"), "{}", found.why);
}

#[test]
fn a_completely_random_order_has_no_blocks() {
    // Numbers per group in the order in which the group's trials came.
    let coins = [0, 1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0, 0, 0, 1, 0, 1];
    let mut counts = [0; 2];
    let order: Vec<(&str, u64)> = coins
        .iter()
        .map(|coin| {
            counts[*coin] += 1;
            (["a", "b"][*coin], counts[*coin])
        })
        .collect();
    assert_eq!(auto(&numbers(&order)).how, How::None);
}

#[test]
fn a_number_that_a_group_has_twice_is_no_block_and_the_others_stay() {
    let mut order: Vec<(&str, u64)> = (1..=8).flat_map(|n| [("a", n), ("b", n)]).collect();
    order.push(("a", 5));
    let found = auto(&numbers(&order));
    assert_eq!(found.how, How::Number, "{}", found.why);
    assert_eq!(found.blocks.iter().filter(|b| b.is_none()).count(), 3);
    assert!(found.why.contains("one number that a group has twice"), "{}", found.why);
}

#[test]
fn numbers_that_begin_anew_in_each_session_are_told_apart_by_it() {
    let mut trials =
        numbers(&[("a", 1), ("b", 1), ("b", 2), ("a", 2), ("b", 1), ("a", 1), ("a", 2), ("b", 2)]);
    for (at, trial) in trials.iter_mut().enumerate() {
        trial.session = Some(if at < 4 { "monday" } else { "tuesday" });
    }
    let found = auto(&trials);
    assert_eq!(found.how, How::Number, "{}", found.why);
    let blocks: Vec<u64> = found.blocks.iter().flatten().copied().collect();
    assert_eq!(blocks, [1, 1, 2, 2, 3, 3, 4, 4]);
}

#[test]
fn stamps_are_cut_into_blocks_along_the_time() {
    let order = [("q", None), ("p", None)].repeat(3);
    let mut trials = ran(&[&order[..], &[("p", None), ("q", None)].repeat(3)].concat());
    let found = auto(&trials);
    assert_eq!(found.how, How::Time, "{}", found.why);
    assert_eq!(found.blocks[..4], [Some(1), Some(1), Some(2), Some(2)]);
    assert_eq!(found.blocks[11], Some(6));
    // A night between two trials ends a block.
    for trial in &mut trials[5..] {
        trial.time = trial.time.map(|(a, b)| (a + 40_000.0, b + 40_000.0));
    }
    assert_eq!(auto(&trials).how, How::Time);
    assert_eq!(auto(&trials).blocks[4..8], [None, None, Some(3), Some(3)]);
}

#[test]
fn stamps_of_groups_that_ran_one_after_the_other_are_no_blocks() {
    let found = auto(&ran(&[[("p", None); 5], [("q", None); 5]].concat()));
    assert_eq!(found.how, How::None);
    assert!(found.why.contains("2 of 10 trials lie in 1 blocks"), "{}", found.why);
}

#[test]
fn without_usable_times_numbers_show_nothing() {
    let order: Vec<(&str, u64)> = (1..=8).flat_map(|n| [("a", n), ("b", n)]).collect();
    let mut trials = numbers(&order);
    for trial in &mut trials {
        trial.time = Some((0.0, 30.0));
    }
    let found = auto(&trials);
    assert_eq!(found.how, How::None);
    assert!(found.why.contains("are not dates"), "{}", found.why);
    for trial in &mut trials {
        trial.time = Some((DAY, DAY + 30.0));
    }
    assert!(auto(&trials).why.contains("had ended"), "{}", auto(&trials).why);
    assert!(pair(&trials, Asked::Time, &Counted::Open).unwrap_err().starts_with("--pairing time"));
    assert_eq!(pair(&trials, Asked::Number, &Counted::Open).unwrap().how, How::Number);
}

#[test]
fn what_was_asked_for_and_cannot_be_had_is_refused() {
    let trials = numbers(&[("a", 1), ("a", 2), ("b", 3), ("b", 4)]);
    assert!(
        pair(&trials, Asked::Number, &Counted::Open).unwrap_err().starts_with("--pairing number")
    );
    assert_eq!(pair(&trials, Asked::None, &Counted::Open).unwrap().how, How::None);
    assert_eq!(auto(&trials).why, "no number in the files' names occurs in two groups");
}

#[test]
fn blocks_that_the_user_names_need_no_evidence() {
    let trials = numbers(&[("a", 1), ("a", 2), ("b", 1), ("b", 2)]);
    assert_eq!(
        pair(&trials, Asked::Auto, &Counted::Blocks("named".into())).unwrap().how,
        How::Number
    );
}
