//! The grammar: what is read, what is refused and where.

use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<Condition, SearchError> {
    parse(text, &SearchLimits::default()).map(|(condition, _)| condition)
}

/// A search with all parentheses written.
fn written(text: &str) -> String {
    read(text).unwrap().to_string()
}

#[test]
fn a_search_is_read_with_its_precedence() {
    for (text, expected) in [
        ("", "*"),
        ("  ", "*"),
        ("*", "*"),
        ("a", "a"),
        ("a b", "a and b"),
        ("a and b or c", "(a and b) or c"),
        ("a or b and c", "a or (b and c)"),
        ("a or b c", "a or (b and c)"),
        ("(a or b) and c", "(a or b) and c"),
        ("not a and b", "not a and b"),
        ("a not b", "a and not b"),
        ("a and not b or c", "(a and not b) or c"),
        ("not (a or b)", "not (a or b)"),
        ("not not a", "not not a"),
        ("a AND b Or NOT c", "(a and b) or not c"),
        ("((a))", "a"),
        ("k:v", "k:v"),
        ("k : v", "k:v"),
        ("k:v w", "k:v and w"),
        ("k:\"v w\"", "k:\"v w\""),
        ("\"v\"", "v"),
        ("\"and\"", "\"and\""),
        ("k:#\"v w\"", "k:#\"v w\""),
        ("#\"v w\"", "#\"v w\""),
        ("k:*", "k:*"),
        ("not k:*", "not k:*"),
        ("k:\"\"", "k:\"\""),
        ("k:v*", "k:v*"),
        ("k:v?w*", "k:v?w*"),
        ("k:\"v*\"", "k:\"v*\""),
        ("\"tcp-flags\":2", "tcp-flags:2"),
        ("tcp-flags:2", "tcp-flags:2"),
        ("\"a b\":2", "\"a b\":2"),
        ("\"limit\":2", "\"limit\":2"),
        ("k>5", "k > 5"),
        ("k >= -5", "k >= -5"),
        ("k<0.5", "k < 0.5"),
        ("k<=5.0", "k <= 5.0"),
        ("k = 5", "k = 5"),
        ("k in [1 5]", "k in [1 5]"),
        ("k in (1 5]", "k in (1 5]"),
        ("k in [1, 5)", "k in [1 5)"),
        ("k in (1 5) and a", "k in (1 5) and a"),
        ("source:a", "__source__:a"),
        ("__topic__:a", "__topic__:a"),
        ("__tag__:k:v", "__tag__:k:v"),
        ("__tag__:\"k k\":\"v:v\"", "__tag__:\"k k\":\"v:v\""),
        ("\"a\\\"b\\\\c\\d\"", "\"a\\\"b\\\\c\\\\d\""),
        ("10.0.0.1", "10.0.0.1"),
        ("k:流量", "k:流量"),
        ("and:1", "refused"),
        ("it's", "it's"),
    ] {
        let found = read(text).map_or_else(|_| "refused".to_owned(), |read| read.to_string());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn what_comes_after_the_bar_is_not_read() {
    let parts = |text: &str| parse(text, &SearchLimits::default()).unwrap();
    assert_eq!(parts("* | SELECT 1"), (Condition::Everything, Some(2)));
    assert_eq!(parts("| SELECT '|' \""), (Condition::Everything, Some(0)));
    assert_eq!(parts("k:\"a|b\" | x").1, Some(8));
    assert_eq!(parts("a|b").1, Some(1));
    assert_eq!(parts("a").1, None);
}

#[test]
#[expect(clippy::too_many_lines, reason = "a table")]
fn each_fault_is_named_where_it_is() {
    let missing = "a condition is missing here";
    let empty = "there is nothing to look for between the quotes";
    let number = "a number is missing here, such as 5, -5 or 0.5";
    let range = "write a range as in [1 5], (1 5], [1 5) or (1 5)";
    let leading = "a value may not begin with * or ?: put it in quotes to look for it";
    let colon = "a value with a colon needs quotes, as in srcaddr:\"2001:db8::1\"";
    let tag = "write a tag as __tag__:NAME:VALUE";
    for (text, at, message) in [
        ("a and", 5, missing),
        ("a or", 4, missing),
        ("not", 3, missing),
        ("a or | SELECT 1", 5, missing),
        (
            "and a",
            0,
            "\"and\" is a reserved word: put it in quotes to look for it",
        ),
        (
            "a sort",
            2,
            "\"sort\" is a reserved word: put it in quotes to look for it",
        ),
        (
            "k:limit",
            2,
            "\"limit\" is a reserved word: put it in quotes to look for it",
        ),
        (
            "max>5",
            0,
            "\"max\" is a reserved word: put it in quotes to look for it",
        ),
        ("(a", 0, "the parenthesis is never closed"),
        ("a (b c", 2, "the parenthesis is never closed"),
        ("a)", 1, "there is no parenthesis to close"),
        ("()", 1, "there is no parenthesis to close"),
        (
            "a [b",
            2,
            "\"[\" may not stand here: put it in quotes to look for it",
        ),
        (
            ":a",
            0,
            "a name is missing before the colon: quote a value with a colon",
        ),
        ("k:", 2, "a value is missing after :"),
        ("k: | x", 3, "a value is missing after :"),
        (
            "k:(a or b)",
            2,
            "a field takes one value: write k:a or k:b for several",
        ),
        (
            "k:>5",
            2,
            "\">\" is no value: put values with signs in quotes",
        ),
        ("k:a:b", 3, colon),
        ("srcaddr:2001:db8::1", 12, colon),
        ("k:*v", 2, leading),
        ("?v", 0, leading),
        ("**", 0, leading),
        (
            "k*:v",
            0,
            "\"k*\" has a wildcard, which names do not: put it in quotes",
        ),
        ("\"\":v", 0, "the name of a field is empty"),
        ("\"\"", 0, empty),
        ("#\"\"", 0, empty),
        ("k:#\"\"", 2, empty),
        (
            "a \"b",
            2,
            "the quote is never closed: write \\\" for a quote within quotes",
        ),
        (
            "\"b\\",
            0,
            "the quote is never closed: write \\\" for a quote within quotes",
        ),
        ("k>", 2, number),
        ("k>a", 2, number),
        ("k>1e5", 2, number),
        ("k>\"5\"", 2, number),
        ("k>99999999999999999999", 2, number),
        ("k in 5", 5, range),
        ("k in [5", 7, number),
        ("k in [1 2", 9, range),
        ("k in [a b]", 6, number),
        ("k in", 4, range),
        ("k IN [1 2]", 2, "write in with small letters"),
        ("__tag__:k", 8, tag),
        ("__tag__:", 8, tag),
        ("流 k:", 6, "a value is missing after :"),
    ] {
        assert_eq!(read(text), Err(SearchError::new(at, message)), "{text}");
    }
}

#[test]
fn a_search_may_ask_so_much_and_no_more() {
    let limits = SearchLimits::default();
    assert!(read(&"a ".repeat(30)).is_ok());
    assert_eq!(
        read(&"a ".repeat(31)),
        Err(SearchError::new(60, "more than 30 conditions"))
    );
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(read(&nested(32)).is_ok());
    let deep = Err(SearchError::new(32, "conditions nest deeper than 32"));
    assert_eq!(read(&nested(33)), deep);
    assert_eq!(read(&nested(30_000)), deep);
    let at = "not ".len() * 32;
    let deep = Err(SearchError::new(at, "conditions nest deeper than 32"));
    assert_eq!(read(&format!("{}a", "not ".repeat(33))), deep);
    let long = format!("k:{}*", "v".repeat(256));
    assert_eq!(
        read(&long),
        Err(SearchError::new(
            2,
            "a value with * or ? may have 256 characters"
        ))
    );
    let fewer = SearchLimits {
        conditions_max: 1,
        text_max: 5,
        ..limits
    };
    assert_eq!(
        parse("a b", &fewer),
        Err(SearchError::new(2, "more than 1 conditions"))
    );
    let refused = parse("abcdef", &fewer).unwrap_err();
    assert_eq!(refused, SearchError::new(5, "6 octets of text, at most 5"));
    assert_eq!(
        refused.to_string(),
        "6 octets of text, at most 5 (at octet 5)"
    );
}

#[test]
fn a_condition_knows_where_it_stands() {
    let Condition::And(parts) = read("a  k:v").unwrap() else {
        panic!("not two conditions");
    };
    let at = parts.iter().map(|part| {
        let Condition::Term(term) = part else {
            panic!("{part} is no test");
        };
        term.at
    });
    assert_eq!(at.collect::<Vec<_>>(), [0, 3]);
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{1,8}",
        "[a-z \"\\\\:()*?#\\[\\]<>=|流,']{1,8}",
        prop::sample::select([RESERVED.as_slice(), &KEYWORDS].concat()).prop_map(str::to_owned),
    ]
}

fn a_number() -> impl Strategy<Value = Number> {
    prop_oneof![
        any::<i64>().prop_map(Number::Long),
        (-1e15_f64..1e15).prop_map(Number::Double),
    ]
}

fn test() -> impl Strategy<Value = Test> {
    let operator = prop::sample::select(OPERATORS.map(|(_, operator)| operator).to_vec());
    let bound = || {
        let bound = (a_number(), any::<bool>());
        bound.prop_map(|(number, is_included)| Bound {
            number,
            is_included,
        })
    };
    prop_oneof![
        Just(Test::Exists),
        Just(Test::Empty),
        text().prop_map(Test::Words),
        "[b-z0-9._-][b-z0-9*?._-]{0,5}[*?]".prop_map(Test::Pattern),
        text().prop_map(Test::Phrase),
        (operator, a_number()).prop_map(|(operator, number)| Test::Compare(operator, number)),
        (bound(), bound()).prop_map(|(low, high)| Test::Between(low, high)),
    ]
}

fn term() -> impl Strategy<Value = Condition> {
    let field = prop_oneof![
        2 => text().prop_map(Some),
        1 => text().prop_map(|tag| Some(format!("{TAG}{tag}"))),
        1 => Just(None),
    ];
    (field, test()).prop_map(|(mut field, test)| {
        let needs_field = !matches!(test, Test::Words(_) | Test::Pattern(_) | Test::Phrase(_));
        if needs_field && field.as_ref().is_none_or(|field| field.starts_with(TAG)) {
            field = Some("k".to_owned());
        }
        Condition::Term(Term { at: 0, field, test })
    })
}

fn condition() -> impl Strategy<Value = Condition> {
    let leaf = prop_oneof![1 => Just(Condition::Everything), 9 => term()];
    leaf.prop_recursive(4, 20, 3, |inner| {
        let parts = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner
                .clone()
                .prop_map(|inner| Condition::Not(Box::new(inner))),
            parts().prop_map(Condition::And),
            parts().prop_map(Condition::Or),
        ]
    })
}

/// The same, wherever it stands.
fn moved(condition: Condition) -> Condition {
    let all = |parts: Vec<Condition>| parts.into_iter().map(moved).collect();
    match condition {
        Condition::Everything => Condition::Everything,
        Condition::Term(term) => Condition::Term(Term { at: 0, ..term }),
        Condition::Not(inner) => Condition::Not(Box::new(moved(*inner))),
        Condition::And(parts) => Condition::And(all(parts)),
        Condition::Or(parts) => Condition::Or(all(parts)),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(condition in condition()) {
        let wide = SearchLimits { conditions_max: 1000, depth_max: 100, text_max: 1 << 20 };
        let text = condition.to_string();
        let (again, pipe) = parse(&text, &wide).unwrap();
        prop_assert_eq!(pipe, None);
        prop_assert_eq!(moved(again), condition, "{}", text);
    }

    #[test]
    fn no_text_breaks_the_parser(text in "[ a\"\\\\:()*?#\\[\\]<>=|5,.\\-]{0,40}") {
        if let Err(error) = read(&text) {
            prop_assert!(error.at <= text.len());
        }
    }

    #[test]
    fn no_words_break_the_parser(words in prop::collection::vec(prop::sample::select(vec![
        "a", "and", "or", "not", "in", "(", ")", "[", "]", ":", "k:", ">", "5", "*", "\"x\"", "#\"y\"", "__tag__", "|",
    ]), 0..20)) {
        let text = words.join(" ");
        match parse(&text, &SearchLimits::default()) {
            Err(error) => prop_assert!(error.at <= text.len()),
            Ok((condition, _)) => prop_assert_eq!(written(&condition.to_string()), condition.to_string()),
        }
    }
}
