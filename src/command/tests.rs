//! Compares the lexer and the quoting with bash itself.

use std::process::Command;

use proptest::prelude::*;

use super::*;

/// The arguments of one process.
type Argv = Vec<String>;

/// A bash prelude in which every program is "not found", so bash writes down the arguments that it would have
/// passed.
///
/// Each process writes its own file, since several stages of a pipeline write at once.
const PREAMBLE: &str = r#"
PATH=/nonexistent
command_not_found_handle() { printf '%s\0' "$#" "$@" >> "$STARTED/$SCRIPT.$BASHPID"; }
export() { command_not_found_handle export "$@"; }
date() { printf 20260215; }
"#;

const VARIABLES: [(&str, &str); 8] = [
    ("A", "one"),
    ("B_2", r#"t'w$o"\é"#),
    ("STAGING_CONTEXT", "team's staging"),
    ("STAGING_NAMESPACE", "dpp-staging"),
    ("STAGING_BASE_URL", "https://staging.example"),
    ("AWS_ACCOUNT_ID", "123456789012"),
    ("AWS_REGION", "us-east-1"),
    ("IMAGE_TAG", "v0.4.2.2"),
];

fn value(name: &str) -> Option<String> {
    if name.starts_with("$(date ") {
        return Some("20260215".into());
    }
    VARIABLES.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into())
}

/// Returns the processes that bash starts for each script, all in one bash.
///
/// The stages of a pipeline start in no particular order, so the processes of one script are sorted.
fn bash(scripts: &[String]) -> Vec<Vec<Argv>> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("evidence/staging/20260215/deploy")).unwrap();
    let started = tempfile::tempdir().unwrap();
    let numbered = scripts.iter().enumerate().map(|(number, script)| format!("SCRIPT={number}\n{script}\n"));
    let text = PREAMBLE.to_owned() + &numbered.collect::<String>();
    let file = folder.path().join("script");
    std::fs::write(&file, text).unwrap();
    let mut bash = Command::new("bash");
    bash.arg(file).current_dir(&folder).envs(VARIABLES).env("STARTED", started.path());
    let output = bash.output().unwrap();
    println!("bash says: {}", String::from_utf8_lossy(&output.stderr));

    let mut argvs = vec![vec![]; scripts.len()];
    for process in std::fs::read_dir(&started).unwrap() {
        let path = process.unwrap().path();
        let number: usize = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let mut fields = text.split_terminator('\0').map(ToOwned::to_owned);
        while let Some(count) = fields.next() {
            argvs[number].push(fields.by_ref().take(count.parse().unwrap()).collect());
        }
    }
    argvs.into_iter().map(sorted).collect()
}

/// Returns the processes that this program would start for a script.
fn ours(script: &str) -> Vec<Argv> {
    let commands = parse_block(script).unwrap_or_else(|error| panic!("{script}\n{error}"));
    sorted(commands.iter().flat_map(|command| command.expand(value).unwrap().stages).collect())
}

fn sorted(mut argvs: Vec<Argv>) -> Vec<Argv> {
    argvs.sort();
    argvs
}

fn assert_bash_agrees(scripts: &[String]) {
    for (script, theirs) in scripts.iter().zip(bash(scripts)) {
        assert_eq!(ours(script), theirs, "{script}");
    }
}

/// Returns the code blocks of the runbook that are marked as bash.
fn runbook_blocks() -> impl Iterator<Item = &'static str> {
    let fenced = include_str!("../runbook/RUNBOOK.md").split("```").skip(1).step_by(2);
    fenced.filter_map(|block| block.strip_prefix("bash\n"))
}

#[test]
fn the_runbooks_blocks_are_what_bash_takes_them_for() {
    let (read, refused): (Vec<_>, Vec<_>) = runbook_blocks().partition(|block| parse_block(block).is_ok());
    assert_bash_agrees(&read.iter().map(ToString::to_string).collect::<Vec<_>>());

    // `<pod-name>` in the first Troubleshooting entry is a placeholder for people; bash would read a file.
    let [with_a_gap] = refused.as_slice() else { panic!("{refused:?}") };
    let error = parse_block(with_a_gap).unwrap_err();
    assert_eq!((error.found, &with_a_gap[error.offset..error.offset + 10]), (Some('<'), "<pod-name>"));
}

#[test]
fn lines_are_what_bash_takes_them_for() {
    let lines = [
        "a",
        "a b\tc  d ",
        "  a ;b; c # d",
        "a a#b c'#'d \"#\" \\#e # f 'g",
        "a '' \"\" x''y",
        "a 'b c'\"d e\"f\\ g",
        r#"a "\$A \" \\ \` \a \é" '\$A \"'"#,
        "a \"$A$B_2\" ${A}b $A-b $A.$B_2 \"${A}b\"",
        "a b\\\nc \\\n  d \"e\\\nf\" 'g\\\nh' i\\\n#j",
        "a 'b\nc' \"d\ne\"",
        "a | b --c|d \\\n | e # f\n\n# g\n\th",
        "a > b",
        "a 2 > b",
        "a '2'>b",
        "a b2>\"$A c\"; d >e",
        "a $(date +%F) \"b$(date +%F)c\"",
        "a x=y --x='{.y}' %1 ^b @ , + ] : é",
        "a -- - -",
    ];
    assert_bash_agrees(&lines.map(Into::into));
}

#[test]
fn what_bash_gives_another_meaning_to_is_refused_where_it_stands() {
    let refused = [
        ("a &", 2, '&'),
        ("a && b", 2, '&'),
        ("a || b", 3, '|'),
        ("a |& b", 3, '&'),
        ("a |\nb", 3, '\n'),
        ("| a", 0, '|'),
        ("a ;; b", 3, ';'),
        ("a < b", 2, '<'),
        ("a <(b)", 2, '<'),
        ("a <<< b", 2, '<'),
        ("a >> b", 3, '>'),
        ("a >& b", 3, '&'),
        ("a >| b", 3, '|'),
        ("a 2> b", 3, '>'),
        ("a 1\\\n2> b", 6, '>'),
        ("a > b c", 6, 'c'),
        ("a > b > c", 6, '>'),
        ("a > b | c", 6, '|'),
        ("a > ''", 4, '\''),
        ("> a", 0, '>'),
        ("(a)", 0, '('),
        ("a() b", 1, '('),
        ("{ a; }", 0, '{'),
        ("a {b,c}", 2, '{'),
        ("a b*", 3, '*'),
        ("a b?", 3, '?'),
        ("a [b]", 2, '['),
        ("a ~", 2, '~'),
        ("! a", 0, '!'),
        ("a `b`", 2, '`'),
        ("a \"`b`\"", 3, '`'),
        ("a $((1))", 4, '('),
        ("a $(b (c))", 6, '('),
        ("a $(b ')')", 6, '\''),
        ("a $'b'", 2, '$'),
        ("a $\"b\"", 2, '$'),
        ("a $1", 2, '$'),
        ("a $?", 2, '$'),
        ("a \"b$\"", 4, '$'),
        ("a ${A:-b}", 5, ':'),
        ("a ${#A}", 2, '$'),
        ("a $A\\\nB", 4, '\\'),
        ("A=b", 0, 'A'),
        ("a; A=b c", 3, 'A'),
        ("if a", 0, 'i'),
        ("a | time b", 4, 't'),
        ("%1", 0, '%'),
        ("$A b", 0, '$'),
        ("'' a", 0, '\''),
        ("a 'b", 2, '\''),
        ("a \"b", 2, '"'),
        ("a b\r", 3, '\r'),
        ("a '\0'", 3, '\0'),
    ];
    for (text, offset, found) in refused {
        let error = parse_block(text).expect_err(text);
        assert_eq!((error.offset, error.found), (offset, Some(found)), "{text}: {error}");
    }
    for text in ["a |", "a >", "a \\", "a $(b", "a ${A"] {
        let error = parse_block(text).expect_err(text);
        assert_eq!((error.offset, error.found), (text.len(), None), "{text}: {error}");
    }
}

#[test]
fn a_refusal_names_the_character_and_its_place() {
    let message = |text| parse(text).unwrap_err().to_string();
    assert_eq!(
        message("a && b"),
        "'&' at byte 2: bash gives this a meaning that a command of the runbook may not use; quote it"
    );
    assert_eq!(message("a |"), "the end at byte 3: a command is missing here");
}

#[test]
fn a_reserved_word_is_no_program() {
    for word in ["while", "until", "if", "for", "time", "function"] {
        let error = parse(&format!("{word} a")).unwrap_err();
        assert_eq!(error.why, "a program's plain name is expected here", "{word}");
        assert!(parse(&format!("{word}s a")).is_ok() && parse(&format!("a {word}")).is_ok(), "{word}");
    }
}

#[test]
fn parse_takes_exactly_one_command() {
    assert!(parse("# before\n\n a b; # after\n").is_ok());
    assert_eq!(parse("a\nb").unwrap_err().why, "a second command begins here");
    assert_eq!(parse(" # a\n").unwrap_err().why, "a command is missing here");
}

const APPLY: &str = r#"cat k8s/api-deployment.yaml | \
  sed "s/\${AWS_ACCOUNT_ID}/${AWS_ACCOUNT_ID}/g" | \
  kubectl --context="$STAGING_CONTEXT" apply -n "$STAGING_NAMESPACE" -f - > $(date +%F)/"a b""#;

#[test]
fn a_command_says_what_it_runs_and_what_it_needs() {
    let command = parse(APPLY).unwrap();
    assert_eq!(command.programs().collect::<Vec<_>>(), ["cat", "sed", "kubectl"]);
    let variables = ["AWS_ACCOUNT_ID", "STAGING_CONTEXT", "STAGING_NAMESPACE"];
    assert_eq!(command.variables().into_iter().collect::<Vec<_>>(), variables);
    assert_eq!(command.expand(|_| None), Err(UnsetVariable("AWS_ACCOUNT_ID".into())));
    assert_eq!(command.redirect.unwrap().expand(value).unwrap(), "20260215/a b");
}

#[test]
fn a_command_reads_as_a_person_would_type_it() {
    let command = parse(APPLY).unwrap();
    insta::assert_snapshot!(command, @r#"cat k8s/api-deployment.yaml | sed "s/\${AWS_ACCOUNT_ID}/$AWS_ACCOUNT_ID/g" | kubectl --context="$STAGING_CONTEXT" apply -n "$STAGING_NAMESPACE" -f - > "$(date +%F)/a b""#);
    insta::assert_snapshot!(command.expand(value).unwrap().to_shell(), @r#"cat k8s/api-deployment.yaml | sed 's/${AWS_ACCOUNT_ID}/123456789012/g' | kubectl --context="team's staging" apply -n dpp-staging -f -"#);
    insta::assert_snapshot!(parse(r#"a get deploy,po --b= --c='{.d}' e=f "${A}g" --$A --="#).unwrap(), @r#"a get deploy,po --b= --c='{.d}' 'e=f' "${A}g" "--$A" '--='"#);
}

/// Generates pieces of shell text: mostly supported syntax, some unsupported.
fn shell_text() -> impl Strategy<Value = String> {
    let one_of = |pieces: &'static str| prop::sample::select(pieces.split('·').collect::<Vec<_>>());
    let harmless = one_of(concat!(
        "a·b·-·=·2·é·,· · ·\t·''·'b c'·' $A\\ '·\"b c\"·\"\\a\\\"\"·\"\\\nb\"·\\ ·\\'·\\\n· \\\n·",
        "$A·${B_2}·\"$A\"·\"'$B_2 \\$A\"·$(date +%F)",
    ));
    let joining = one_of("\n·;· | a · > c· # d\n·#·\na ·; b ");
    let risky = one_of("'·\"·\\·$·|·>·if·~·*·\u{1}·&·{·%");
    let piece = prop_oneof![20 => harmless, 5 => joining, 1 => risky];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| format!("a {}", pieces.concat()))
}

/// Generates arguments of every kind that a process can receive.
fn argument() -> impl Strategy<Value = String> {
    let character = prop_oneof![
        prop::sample::select(
            "abc019_-./:=,'\"$\\`!^~*?[]{}()<>|&;#%@ \t\n\r\u{1}\u{7f}é\u{a0}\u{2028}漢"
                .chars()
                .collect::<Vec<_>>()
        ),
        any::<char>().prop_filter("no argument holds a NUL", |&c| c != '\0'),
    ];
    let text = prop::collection::vec(character, 0..12).prop_map(String::from_iter);
    (prop::sample::select(vec!["", "", "--context=", "s/", "-n"]), text)
        .prop_map(|(begin, rest)| begin.to_owned() + &rest)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_read_is_what_bash_reads(texts in prop::collection::vec(shell_text(), 40)) {
        let mut scripts = Vec::new();
        for text in texts {
            let Ok(commands) = parse_block(&text) else { continue };
            // An unset variable is a word that vanishes in bash; here it is an error.
            if commands.iter().flat_map(CommandLine::variables).any(|name| value(name).is_none()) {
                continue;
            }
            for command in commands {
                let shown = command.to_string();
                prop_assert_eq!(parse(&shown), Ok(command), "{}", &shown);
                scripts.push(shown);
            }
            scripts.push(text);
        }
        assert_bash_agrees(&scripts);
    }

    #[test]
    fn every_argument_arrives_unchanged(
        pipelines in prop::collection::vec(prop::collection::vec(prop::collection::vec(argument(), 0..4), 1..3), 40)
    ) {
        let pipelines = pipelines.into_iter().map(|stages| {
            let with_program = |arguments: Argv| [vec!["kubectl".to_owned()], arguments].concat();
            Pipeline { stages: stages.into_iter().map(with_program).collect() }
        });
        let pipelines = pipelines.collect::<Vec<_>>();
        let scripts = pipelines.iter().map(Pipeline::to_shell).collect::<Vec<_>>();
        for ((pipeline, script), theirs) in pipelines.into_iter().zip(&scripts).zip(bash(&scripts)) {
            prop_assert_eq!(&parse(script).unwrap().expand(|_| None).unwrap(), &pipeline, "{}", script);
            prop_assert_eq!(sorted(pipeline.stages), theirs, "{}", script);
        }
    }

    #[test]
    fn an_input_is_one_argument_whatever_it_holds(input in argument()) {
        let command = parse(r#"kubectl --context="$A" get $A "$A/x""#).unwrap();
        let expanded = command.expand(|_| Some(input.clone())).unwrap();
        let expected = ["kubectl".into(), format!("--context={input}"), "get".into(), input.clone(), format!("{input}/x")];
        prop_assert_eq!(expanded.stages, [expected]);
    }
}
