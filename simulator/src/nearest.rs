//! What somebody may have meant.

/// Returns the candidate with the fewest changed letters; `None` when none is near.
pub(crate) fn nearest<'a>(given: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let most = given.chars().count() / 2 + 1;
    let ranked = candidates.into_iter().map(|candidate| (distance(given, candidate), candidate));
    ranked.filter(|&(d, _)| d <= most).min_by_key(|&(d, _)| d).map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace (Levenshtein 1966), capitals aside.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_lowercase(), b.to_lowercase());
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, &y) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        assert_eq!(nearest("los", ["loss", "delay_median_s"]), Some("loss"));
        assert_eq!(nearest("zzzzzz", ["loss", "delay_median_s"]), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }
}
