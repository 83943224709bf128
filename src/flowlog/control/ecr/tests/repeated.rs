//! Requests that come again.

use super::*;

const DAY_MS: u64 = 86_400_000;

fn token<'a>(text: &'a str, digest: &'a str) -> Token<'a> {
    Token::new("1234", "CreateFlowLog", text, digest).unwrap()
}

impl World {
    fn repeat(&mut self, token: &Token<'_>) -> Result<Outcome, Refused> {
        self.call(&Change::Create(wanted()), HOME, Some(token))
    }
}

#[test]
fn a_token_is_up_to_64_letters_of_ascii() {
    let of = |text: &str| Token::new("", "CreateFlowLog", text, "").map(|_| ());
    assert_eq!(of(&"x".repeat(64)), Ok(()));
    let malformed = Err(Refused::Malformed(Param::ClientToken));
    assert_eq!(of(&"x".repeat(65)), malformed);
    assert_eq!(of("tökén"), malformed);
}

#[test]
fn what_comes_again_is_answered_again_and_not_done_again() {
    let mut world = World::new();
    let first = world.repeat(&token("t", "d")).unwrap();
    assert!(first.is_new);
    let before = world.store.clone();
    let again = world.repeat(&token("t", "d")).unwrap();
    assert_eq!(again.flow_log, first.flow_log);
    assert!(!again.is_new);
    assert_eq!(world.store, before);
}

#[test]
fn a_token_does_not_stand_for_another_request() {
    let mut world = World::new();
    world.repeat(&token("t", "d")).unwrap();
    assert_eq!(world.repeat(&token("t", "e")), Err(Refused::Reused));
    assert!(world.repeat(&token("u", "e")).unwrap().is_new);
    // Another's, or of another action, is another one.
    for (owner, action) in [("5678", "CreateFlowLog"), ("1234", "DeleteFlowlog")] {
        let other = Token::new(owner, action, "t", "e").unwrap();
        assert!(world.repeat(&other).unwrap().is_new, "{owner} {action}");
    }
}

/// The answer is that of the first time, whatever became of the flow log.
#[test]
fn a_removal_that_comes_again_succeeds_under_its_token_only() {
    let mut world = World::new();
    let id = world.create(&wanted()).unwrap();
    let delete = Change::Delete(&id);
    let token = Token::new("1234", "DeleteFlowlog", "t", "d").unwrap();
    for is_new in [true, false] {
        let done = world.call(&delete, HOME, Some(&token)).unwrap();
        assert_eq!((done.flow_log, done.is_new), (None, is_new));
    }
    let other = Token::new("1234", "DeleteFlowlog", "u", "d").unwrap();
    let done = world.call(&delete, HOME, Some(&other));
    assert_eq!(done, Err(Refused::NoFlowLog));
}

#[test]
fn what_was_refused_may_be_asked_again_under_its_token() {
    let mut world = World::new();
    world.quota = 0;
    assert_eq!(world.repeat(&token("t", "d")), Err(Refused::Quota));
    world.quota = 1;
    assert!(world.repeat(&token("t", "e")).unwrap().is_new);
}

#[test]
fn a_token_is_forgotten_after_a_day() {
    let mut world = World::new();
    world.repeat(&token("t", "d")).unwrap();
    world.now_ms = NOW_MS + DAY_MS - 1;
    assert!(!world.repeat(&token("t", "d")).unwrap().is_new);
    world.now_ms = NOW_MS + DAY_MS;
    assert!(world.repeat(&token("t", "e")).unwrap().is_new);
    assert_eq!(world.store.tokens.len(), 1);
    // A clock that was put back by more than that.
    world.now_ms = NOW_MS - DAY_MS;
    assert!(world.repeat(&token("t", "d")).unwrap().is_new);
    assert_eq!(world.store.tokens.len(), 1);
}

#[test]
fn of_too_many_tokens_the_oldest_go() {
    let mut world = World::new();
    world.tokens_max = 2;
    for text in ["a", "b", "c"] {
        assert!(world.repeat(&token(text, "d")).unwrap().is_new);
        assert!(world.store.tokens.len() <= 2);
    }
    assert!(!world.repeat(&token("c", "d")).unwrap().is_new);
    assert!(!world.repeat(&token("b", "d")).unwrap().is_new);
    assert!(world.repeat(&token("a", "d")).unwrap().is_new);
    world.tokens_max = 0;
    assert!(world.repeat(&token("x", "d")).unwrap().is_new);
    assert_eq!(world.store.tokens.len(), 0);
}
