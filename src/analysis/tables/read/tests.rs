use super::*;

/// What is found in files of one's own, each of a name and rows.
fn found(files: &[(&str, &str)], header: &str) -> Found {
    let folder = tempfile::tempdir().unwrap();
    let put = |(name, rows): &(&str, &str)| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("{header}\n{rows}")).unwrap();
        path
    };
    let paths: Vec<PathBuf> = files.iter().map(put).collect();
    find(folder.path(), &paths, &Columns::default()).unwrap()
}

fn groups(found: &Found) -> Vec<&str> {
    let mut groups: Vec<&str> = found.trials.iter().map(|t| t.group.as_str()).collect();
    groups.dedup();
    groups
}

#[test]
fn a_row_that_says_it_warmed_up_is_no_trial_and_no_group() {
    let rows = "warm-up,scroll,9.5,3\nwarm-up,click,8.5,3\nreal,scroll,5.1,3\nreal,click,4.1,3\n\
                real,scroll,5.2,3\nreal,click,4.2,3\n";
    let found = found(&[("one.csv", rows)], "stage,action,joules,seconds");
    assert_eq!((found.trials.len(), groups(&found)), (4, vec!["click", "scroll"]));
    let told: Vec<&str> = found.ignored.iter().map(|i| i.reason.as_str()).collect();
    assert_eq!(told, ["row 2 is a warm-up", "row 3 is a warm-up"]);
}

#[test]
fn a_table_prepared_from_another_does_not_count_its_runs_again() {
    let header = "__run_id,__done,tool,dram_energy_j,package_energy_j,time_s";
    let raw = "run_0,DONE,x,1.25,10.5,3\nrun_1,DONE,y,1.5,12.5,3\nrun_2,DONE,x,1.25,10.25,3\n\
               run_3,DONE,y,1.5,12.25,3\n";
    let folder = tempfile::tempdir().unwrap();
    let put = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let prepared = "__run_id,tool,label,service_energy_j,package_energy_j,time_s\n\
                    run_0,x,a x,5.5,10.5,3\nrun_1,y,a y,6.5,12.5,3\nrun_2,x,a x,5.25,10.25,3\n\
                    run_3,y,a y,6.25,12.25,3\n";
    let (raw, other) = (format!("{header}\n{raw}"), raw.replace(".25", ".75"));
    let second = format!("{header}\n{other}").replace(".5,3", ".625,3");
    let of = |files: &[PathBuf]| find(folder.path(), files, &Columns::default()).unwrap();
    let made = of(&[put("run_table.csv", &raw), put("ready.csv", prepared)]);
    assert_eq!((made.trials.len(), groups(&made)), (4, vec!["x", "y"]));
    assert_eq!(made.ignored.len(), 1);
    // The same plan on another machine has the same runs and numbers of its own.
    let both = of(&[put("run_table.csv", &raw), put("second.csv", &second)]);
    assert_eq!(both.trials.len(), 8);
}

#[test]
fn a_column_that_says_yes_to_warming_up_does_so_too() {
    let header = "action,is_warmup,joules,seconds";
    let rows = "scroll,True,9.5,3\nclick,True,8.5,3\nscroll,False,5.1,3\nclick,False,4.1,3\n\
                scroll,False,5.2,3\nclick,False,4.2,3\n";
    let one = found(&[("one.csv", rows)], header);
    assert_eq!((one.trials.len(), groups(&one)), (4, vec!["click", "scroll"]));
    // Where every row says so, the column tells none from another.
    let all = found(&[("one.csv", &rows.replace("False", "True"))], header);
    assert_eq!(all.trials.len(), 6);
}

#[test]
fn files_of_the_same_groups_are_told_apart_by_words_and_not_by_numbers() {
    let rows = "scroll,5.1,3\nclick,4.1,3\nscroll,5.2,3\nclick,4.2,3\n";
    let other = "scroll,6.1,3\nclick,6.2,3\nscroll,6.3,3\nclick,6.4,3\n";
    let named = |one, two| found(&[(one, rows), (two, other)], "action,joules,seconds");
    let apart = named("opera.csv", "lynx.csv");
    assert_eq!(groups(&apart), ["click lynx", "click opera", "scroll lynx", "scroll opera"]);
    assert!(apart.by.contains("group=action+@file"), "{}", apart.by);
    assert_eq!(groups(&named("day_1.csv", "day_2.csv")), ["click", "scroll"]);
}

#[test]
fn a_part_of_a_table_beside_it_is_no_group_of_its_own() {
    let rows = "scroll,5.12345,3\nclick,4.12345,3\nscroll,5.22345,3\nclick,4.22345,3\n";
    let part = "scroll,5.12345,3\nclick,4.12345,3\n";
    let found = found(&[("all.csv", rows), ("picked.csv", part)], "action,joules,seconds");
    assert_eq!((found.trials.len(), groups(&found)), (4, vec!["click", "scroll"]));
}

#[test]
fn what_counts_runs_counts_blocks_only_where_their_rows_stand_together() {
    let header = "action,round,joules,seconds";
    let blocks = "scroll,1,5.1,3\nclick,1,4.1,3\nclick,2,4.2,3\nscroll,2,5.2,3\n";
    let by_group = "scroll,1,5.1,3\nscroll,2,5.2,3\nclick,1,4.1,3\nclick,2,4.2,3\n";
    let one = found(&[("a.csv", blocks)], header);
    assert_eq!(one.counted, Counted::Blocks("the blocks that the table counts (round)".into()));
    assert_eq!(
        one.trials.iter().map(|t| t.block).collect::<Vec<_>>(),
        [Some(1), Some(2)].repeat(2)
    );
    let other = found(&[("a.csv", by_group)], header);
    assert!(matches!(&other.counted, Counted::None(why) if why.contains("--columns block=round")));
    assert!(other.trials.iter().all(|t| t.block.is_none()));
    // The table is sorted by group, and the times tell that it ran in blocks.
    let timed = "scroll,1,5.1,3,1700000000\nscroll,2,5.2,3,1700000120\nclick,1,4.1,3,1700000060\n\
                 click,2,4.2,3,1700000180\n";
    let third = found(&[("a.csv", timed)], "action,round,joules,seconds,start");
    assert!(matches!(third.counted, Counted::Blocks(_)), "{:?}", third.counted);
}
