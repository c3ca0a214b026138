//! Many short lists in one allocation.

/// One list per row, stored back to back: 100,000 links need two allocations, not 100,000.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rows<T> {
    /// Where each row ends in `items`; a row starts where the one before it ends.
    ends: Vec<u32>,
    items: Vec<T>,
}

impl<T> Default for Rows<T> {
    fn default() -> Self {
        Self { ends: Vec::new(), items: Vec::new() }
    }
}

impl<T> Rows<T> {
    pub(crate) fn with_capacity(rows: usize, items: usize) -> Self {
        Self { ends: Vec::with_capacity(rows), items: Vec::with_capacity(items) }
    }

    pub(crate) fn push(&mut self, row: impl IntoIterator<Item = T>) {
        self.items.extend(row);
        self.ends
            .push(u32::try_from(self.items.len()).expect("a network has fewer than 2^32 vertices and turns"));
    }

    #[inline]
    pub(crate) fn row(&self, index: usize) -> &[T] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.items[start as usize..self.ends[index] as usize]
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn items(&self) -> &[T] {
        &self.items
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = &[T]> {
        (0..self.len()).map(|index| self.row(index))
    }
}

impl<T> FromIterator<Vec<T>> for Rows<T> {
    fn from_iter<I: IntoIterator<Item = Vec<T>>>(rows: I) -> Self {
        rows.into_iter().fold(Self::default(), |mut all, row| {
            all.push(row);
            all
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_back_as_they_went_in() {
        let rows: Rows<u8> = [vec![1, 2], vec![], vec![3]].into_iter().collect();
        assert_eq!(rows.iter().map(<[u8]>::to_vec).collect::<Vec<_>>(), [vec![1, 2], vec![], vec![3]]);
        assert_eq!(rows.len(), 3);
    }
}
