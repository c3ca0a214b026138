//! Turn restrictions: <https://wiki.openstreetmap.org/wiki/Relation:restriction>.

use compact_str::format_compact;
use rustc_hash::FxHashMap;

use super::map::{Member, MemberKind, Relation, Tags};
use crate::import::report::Tallies;
use crate::{LinkIndex, NetworkBuilder};

/// A link and the OSM nodes at its ends.
#[derive(Clone, Copy)]
pub(super) struct LinkAt {
    pub(super) link: LinkIndex,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// The links of each way, to find those that a restriction speaks of.
#[derive(Default)]
pub(super) struct Turns {
    by_way: FxHashMap<i64, Vec<LinkAt>>,
}

/// What a restriction says about its turns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Rule {
    Forbidden,
    Only,
}

impl Turns {
    pub(super) fn add(&mut self, way: i64, link: LinkAt) {
        self.by_way.entry(way).or_default().push(link);
    }

    pub(super) fn apply(&self, relations: &[Relation], builder: &mut NetworkBuilder, tallies: &mut Tallies) {
        for relation in relations {
            let name = format_compact!("relation {}", relation.id);
            match self.turns_of(relation) {
                Ok((rule, turns)) => {
                    for (from, into) in turns {
                        match rule {
                            Rule::Forbidden => builder.forbid_turn(from, into),
                            Rule::Only => builder.only_turn(from, into),
                        }
                    }
                    tallies.noted.add("turn restrictions applied", &name);
                    if relation.tags.get("except").is_some() {
                        tallies.noted.add("turn restrictions applied to all though some are exempt", &name);
                    }
                }
                Err(why) => tallies.noted.add(&format!("turn restrictions not applied: {why}"), &name),
            }
        }
    }

    fn turns_of(&self, relation: &Relation) -> Result<(Rule, Vec<(LinkIndex, LinkIndex)>), String> {
        let kind = kind(&relation.tags)?;
        let rule = match kind {
            kind if kind.starts_with("no_") => Rule::Forbidden,
            kind if kind.starts_with("only_") => Rule::Only,
            other => return Err(format!("unknown kind {other}")),
        };
        let via = via(&relation.members)?;
        let (from, into) = (role(&relation.members, "from"), role(&relation.members, "to"));
        if from.is_empty() || into.is_empty() {
            return Err("no from or no to".to_owned());
        }
        let mut turns = Vec::new();
        for &way in &from {
            let reaching: Vec<_> = self.of(way).filter(|link| link.to == via).collect();
            for &onto in &into {
                let leaving = self.of(onto).filter(|link| link.from == via);
                let back = |a: &LinkAt, b: &LinkAt| a.from == b.to;
                if way == onto && kind == "no_u_turn" {
                    let pairs = leaving.flat_map(|b| {
                        reaching.iter().filter(move |a| back(a, &b)).map(move |a| (a.link, b.link))
                    });
                    turns.extend(pairs);
                } else if reaching.len() > 1 {
                    return Err("the way that it leads from runs through its via".to_owned());
                } else {
                    turns.extend(leaving.flat_map(|b| reaching.iter().map(move |a| (a.link, b.link))));
                }
            }
        }
        if turns.is_empty() {
            Err("its turn is on no road that was taken".to_owned())
        } else {
            Ok((rule, turns))
        }
    }

    fn of(&self, way: i64) -> impl Iterator<Item = LinkAt> {
        self.by_way.get(&way).into_iter().flatten().copied()
    }
}

/// Returns the restriction's kind, if it holds for most and at all times.
fn kind(tags: &Tags) -> Result<&str, String> {
    let Some(kind) = tags.get("restriction") else {
        let other = tags.iter().find(|(key, _)| key.starts_with("restriction:"));
        return Err(match other {
            Some(("restriction:conditional", _)) => "only at times (restriction:conditional)".to_owned(),
            Some((key, _)) => format!("only for some ({key})"),
            None => "no kind".to_owned(),
        });
    };
    if tags.get("hour_on").is_some() || tags.get("day_on").is_some() {
        return Err("only at times (hour_on, day_on)".to_owned());
    }
    // Where motorcycles, or all but a few, are exempt, the turn is used.
    let exempt = tags.get("except").unwrap_or_default();
    let most = ["motorcycle", "moped", "motorcar", "motor_vehicle", "vehicle"];
    match exempt.split(';').map(str::trim).find(|class| most.contains(class)) {
        Some(class) => Err(format!("except={class}")),
        None => Ok(kind),
    }
}

fn via(members: &[Member]) -> Result<i64, String> {
    let via: Vec<_> = members.iter().filter(|member| member.role == "via").collect();
    match via.as_slice() {
        [Member { kind: MemberKind::Node, id, .. }] => Ok(*id),
        [] => Err("no via".to_owned()),
        [Member { kind: MemberKind::Way, .. }, ..] => Err("via a way".to_owned()),
        _ => Err("more than one via".to_owned()),
    }
}

fn role(members: &[Member], role: &str) -> Vec<i64> {
    let ways = members.iter().filter(|member| member.kind == MemberKind::Way && member.role == role);
    ways.map(|member| member.id).collect()
}
