//! A set of links or places, a bit each.

/// So small that it stays in the cache, whoever asks for whatever member. Its members are taken in their order, so that no sum depends
/// on how the set came about.
#[derive(Clone, Debug, Default)]
pub(crate) struct Set(Vec<u64>);

impl FromIterator<usize> for Set {
    fn from_iter<T: IntoIterator<Item = usize>>(members: T) -> Self {
        let mut set = Self::default();
        members.into_iter().for_each(|member| set.add(member));
        set
    }
}

impl Set {
    pub(crate) fn all(of: usize) -> Self {
        let mut all = Self(vec![u64::MAX; of / 64]);
        (of / 64 * 64..of).for_each(|member| all.add(member));
        all
    }

    pub(crate) fn add(&mut self, member: usize) {
        let word = member / 64;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        self.0[word] |= 1 << (member % 64);
    }

    pub(crate) fn remove(&mut self, member: usize) {
        if let Some(word) = self.0.get_mut(member / 64) {
            *word &= !(1 << (member % 64));
        }
    }

    pub(crate) fn holds(&self, member: usize) -> bool {
        self.0.get(member / 64).is_some_and(|word| word >> (member % 64) & 1 > 0)
    }

    /// Returns the first member that is no less than that.
    pub(crate) fn first_from(&self, from: usize) -> Option<usize> {
        let here = self.0.get(from / 64)? >> (from % 64);
        if here > 0 {
            return Some(from + here.trailing_zeros() as usize);
        }
        let (word, bits) = (from / 64 + 1..).zip(&self.0[from / 64 + 1..]).find(|(_, bits)| **bits > 0)?;
        Some(64 * word + bits.trailing_zeros() as usize)
    }

    /// Calls `each` with each member, and is empty then.
    pub(crate) fn take_each(&mut self, mut each: impl FnMut(usize)) {
        for (word, bits) in self.0.iter_mut().enumerate() {
            while *bits > 0 {
                each(64 * word + bits.trailing_zeros() as usize);
                *bits &= *bits - 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn taken(set: &mut Set) -> Vec<usize> {
        let mut taken = Vec::new();
        set.take_each(|member| taken.push(member));
        taken
    }

    fn walked(set: &Set) -> Vec<usize> {
        std::iter::successors(set.first_from(0), |member| set.first_from(member + 1)).collect()
    }

    proptest! {
        #[test]
        fn who_is_removed_is_no_member_any_more(member in 0usize..200, other in 0usize..300) {
            let mut set = Set::all(200);
            set.remove(member);
            set.remove(other);
            prop_assert_eq!(walked(&set), (0..200).filter(|left| ![member, other].contains(left)).collect::<Vec<_>>());
        }

        #[test]
        fn each_member_is_taken_once_and_in_order(members in proptest::collection::btree_set(0usize..300, 0..50), of in 0usize..300) {
            let mut set = Set::default();
            let twice = members.iter().rev().chain(&members);
            twice.for_each(|member| set.add(*member));
            prop_assert_eq!(walked(&set), members.iter().copied().collect::<Vec<_>>());
            prop_assert!((0..400).all(|member| set.holds(member) == members.contains(&member)));
            prop_assert_eq!(taken(&mut set), members.into_iter().collect::<Vec<_>>());
            prop_assert_eq!(taken(&mut set), Vec::<usize>::new());
            prop_assert_eq!(taken(&mut Set::all(of)), (0..of).collect::<Vec<_>>());
        }
    }
}
