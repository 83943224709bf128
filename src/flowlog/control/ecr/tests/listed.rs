//! What the list shows, and in which parts.

use super::*;

impl World {
    /// Ids of a page, the total and the next token.
    fn page(
        &self,
        filter: &Filter<'_>,
        size: &str,
        token: &str,
    ) -> Result<(Vec<String>, usize, String), Refused> {
        let scope = Scope::new(self.account, HOME, None)?;
        let page = Page::new(Some(size), Some(token))?;
        let found = self.store.describe(&scope, filter, page, &self.policy())?;
        let ids = found.entries.iter().map(|log| log.id.clone());
        Ok((ids.collect(), found.total, found.next))
    }

    fn ids(&self, filter: &Filter<'_>) -> Vec<String> {
        let (ids, total, next) = self.page(filter, "", "").unwrap();
        assert_eq!((total, next), (ids.len(), String::new()));
        ids
    }
}

#[test]
fn filters_are_joined_and_exact() {
    let mut world = World::new();
    let one = Wanted {
        given: given(|it| it.flow_log_name = Some("one")),
        instance_id: "vbr-b",
        project_name: "other-proj",
        log_store_name: "other",
        resource_group_id: Some("rg-mine"),
        tags: vec![("k", "v"), ("l", "")],
        ..wanted()
    };
    let one = world.create(&one).unwrap();
    let two = Wanted {
        tags: vec![("k", "w")],
        ..wanted()
    };
    let two = world.create(&two).unwrap();
    let mut both = [one.clone(), two.clone()];
    both.sort();
    assert_eq!(world.ids(&Filter::default()), both);
    let only_one = std::slice::from_ref(&one);
    for edit in [
        (|it| it.flow_log_name = Some("one")) as fn(&mut Filter<'_>),
        |it| it.instance_id = Some("vbr-b"),
        |it| it.project_name = Some("other-proj"),
        |it| it.log_store_name = Some("other"),
        |it| it.resource_group_id = Some("rg-mine"),
        |it| it.tags = vec![("k", Some("v"))],
        |it| it.tags = vec![("k", None), ("l", None)],
        |it| it.tags = vec![("l", Some(""))],
    ] {
        let mut filter = Filter::default();
        edit(&mut filter);
        assert_eq!(world.ids(&filter), only_one, "{filter:?}");
        filter.flow_log_id = Some(&two);
        assert!(world.ids(&filter).is_empty(), "{filter:?}");
    }
    for edit in [
        (|it| it.flow_log_name = Some("on")) as fn(&mut Filter<'_>),
        |it| it.tags = vec![("k", Some(""))],
        |it| it.tags = vec![("", None)],
        |it| it.flow_log_id = Some("ecr-flog-none"),
    ] {
        let mut filter = Filter::default();
        edit(&mut filter);
        assert!(world.ids(&filter).is_empty(), "{filter:?}");
    }
}

#[test]
fn pages_follow_each_other_and_the_last_has_no_next() {
    let mut world = World::new();
    let mut made = Vec::new();
    for number in 0..5 {
        // Two of the same moment are in the order of their ids.
        world.now_ms = NOW_MS + number / 2;
        made.push((world.now_ms, world.create(&wanted()).unwrap()));
    }
    made.sort();
    let made: Vec<_> = made.into_iter().map(|(_, id)| id).collect();
    let all = Filter::default();
    let (first, total, next) = world.page(&all, "2", "").unwrap();
    assert_eq!((&first[..], total), (&made[..2], 5));
    // One that goes between two pages moves no other.
    world.at_home(&Change::Delete(&made[0])).unwrap();
    let (second, total, next) = world.page(&all, "2", &next).unwrap();
    assert_eq!((&second[..], total), (&made[2..4], 4));
    let (last, _, next) = world.page(&all, "2", &next).unwrap();
    assert_eq!((&last[..], &*next), (&made[4..], ""));
    let (whole, _, next) = world.page(&all, "4", "").unwrap();
    assert_eq!((&whole[..], &*next), (&made[1..], ""));
    let (whole, ..) = world.page(&all, "2147483647", "").unwrap();
    assert_eq!(whole.len(), 4);
}

#[test]
fn a_page_is_asked_for_with_a_number_and_a_token_of_ours() {
    for size in ["0", "-1", "ten", "2147483648", "1.5"] {
        let refused = Page::new(Some(size), None);
        assert_eq!(refused, Err(Refused::Illegal(Param::MaxResults)), "{size}");
    }
    for token in ["x", "00000000000000zz", "流流流流流流流流"] {
        let refused = Page::new(None, Some(token));
        assert_eq!(refused, Err(Refused::Illegal(Param::NextToken)), "{token}");
    }
    assert_eq!(Page::new(Some(""), Some("")).unwrap().size, 10);
}
