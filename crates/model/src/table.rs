//! The table and the object store: what is conditional, what is final.

use crate::{Guard, Protocol, Set};

/// A block's hash, which here *is* its chain: a byte for each block from the lowest on, 4 bits of
/// accepted events and 4 of timestamp. Genesis is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Hash(pub u32);

impl Hash {
    /// The block that follows.
    #[must_use]
    pub fn child(self, events: Set, time: u8) -> Self {
        debug_assert!(events != 0 && events < 16 && time < 16, "a block has events");
        Self((self.0 << 8) | (u32::from(events) << 4) | u32::from(time))
    }

    /// The block before; genesis has none and names itself.
    #[must_use]
    pub fn parent(self) -> Self {
        Self(self.0 >> 8)
    }

    /// Its height.
    pub fn height(self) -> u8 {
        (4 - self.0.leading_zeros() / 8) as u8
    }

    /// The events that it accepts.
    pub fn events(self) -> Set {
        ((self.0 >> 4) & 0xf) as Set
    }

    /// Its timestamp.
    pub fn time(self) -> u8 {
        (self.0 & 0xf) as u8
    }

    /// The events of the chain up to it.
    pub fn history(self) -> Set {
        self.path_above(0).fold(0, |all, block| all | block.events())
    }

    /// Its ancestor at a height not above its own.
    #[must_use]
    pub fn ancestor(self, height: u8) -> Self {
        Self(self.0.checked_shr(8 * u32::from(self.height() - height)).unwrap_or(0))
    }

    /// The blocks above a height up to this one, lowest first.
    pub fn path_above(self, height: u8) -> impl Iterator<Item = Self> {
        (height + 1..=self.height()).map(move |height| self.ancestor(height))
    }

    /// Whether it is this block or one before it.
    pub fn is_ancestor_of(self, other: Self) -> bool {
        self.height() <= other.height() && other.ancestor(self.height()) == self
    }
}

/// A snapshot in the object store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Snapshot {
    /// Its block.
    pub block: Hash,
    /// Whether its chunks are there.
    pub chunks: bool,
    /// Whether its manifest is.
    pub manifest: bool,
}

/// The conditional write of the head.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, std::hash::Hash)]
pub struct Commit {
    /// The head that was read, and must still be there.
    pub on: Hash,
    /// The new head.
    pub block: Hash,
}

/// What is stored.
#[derive(Clone, Debug, PartialEq, Eq, std::hash::Hash)]
pub struct Table {
    /// Block items, staged by height and hash; sorted.
    pub blocks: Vec<Hash>,
    /// The head.
    pub head: Hash,
    /// Height up to which the read side is complete.
    pub published: u8,
    /// Height up to which garbage was looked for.
    pub swept: u8,
    /// Events with a place.
    pub places: Set,
    /// Events whose bodies are stored.
    pub bodies: Set,
    /// Events recorded as rejected.
    pub rejects: Set,
    /// Events whose bodies are kept beside their rejects.
    pub spares: Set,
    /// The source height of a mutable item that every block changes.
    pub card: u8,
    /// Commits that were sent, whose outcome is unknown, and that may take effect yet; sorted.
    pub late: Vec<Commit>,
    /// Snapshots; sorted.
    pub snapshots: Vec<Snapshot>,
    /// For the properties: a head was replaced by one that doesn't follow from it.
    pub forked: bool,
    /// For the properties: something that only rises fell.
    pub fell: bool,
}

impl Table {
    /// A table with a founded kennel.
    pub(crate) fn founded() -> Self {
        Self {
            blocks: vec![Hash::default()],
            head: Hash::default(),
            published: 0,
            swept: 0,
            places: 0,
            bodies: 0,
            rejects: 0,
            spares: 0,
            card: 0,
            late: Vec::new(),
            snapshots: Vec::new(),
            forked: false,
            fell: false,
        }
    }

    /// Puts a block item; it may be there already.
    pub(crate) fn stage(&mut self, block: Hash) {
        if let Err(at) = self.blocks.binary_search(&block) {
            self.blocks.insert(at, block);
        }
    }

    /// Writes the head, if the condition holds; true if it was written.
    pub(crate) fn commit(&mut self, protocol: &Protocol, commit: Commit) -> bool {
        let holds = self.head == commit.on || !protocol.has(Guard::HeadCondition);
        if holds {
            self.forked |= commit.block.parent() != self.head;
            self.head = commit.block;
        }
        holds
    }

    /// Sends a commit that may take effect later.
    pub(crate) fn send_late(&mut self, commit: Commit) {
        if let Err(at) = self.late.binary_search(&commit) {
            self.late.insert(at, commit);
        }
    }

    /// Writes a block's part of the read side, with the bodies at hand.
    pub(crate) fn publish(&mut self, protocol: &Protocol, block: Hash, bodies: Set) {
        self.places |= block.events();
        self.bodies |= block.events() & bodies;
        let height = block.height();
        if self.card < height || !protocol.has(Guard::SourceHeight) {
            self.fell |= height < self.card;
            self.card = height;
        }
    }

    /// Stores the bodies of a block's events that were kept beside their rejects.
    pub(crate) fn keep_spares(&mut self, block: Hash) {
        self.bodies |= block.events() & self.spares;
    }

    /// Lets the published height rise.
    pub(crate) fn rise(&mut self, protocol: &Protocol, height: u8) {
        if self.published < height || !protocol.has(Guard::PublishedRises) {
            self.fell |= height < self.published;
            self.published = height;
        }
    }

    /// Changes a snapshot, which is forgotten when nothing of it is left.
    pub(crate) fn change_snapshot(&mut self, block: Hash, change: impl FnOnce(&mut Snapshot)) {
        let at = self.snapshots.iter().position(|snapshot| snapshot.block == block);
        let mut snapshot =
            at.map_or(Snapshot { block, chunks: false, manifest: false }, |at| self.snapshots.remove(at));
        change(&mut snapshot);
        if snapshot.chunks || snapshot.manifest {
            self.snapshots.push(snapshot);
            self.snapshots.sort();
        }
    }

    /// The newest snapshot with a manifest on the way to a head.
    pub(crate) fn newest_snapshot(&self, head: Hash) -> Option<Snapshot> {
        let usable = |snapshot: &&Snapshot| snapshot.manifest && snapshot.block.is_ancestor_of(head);
        self.snapshots.iter().filter(usable).max_by_key(|snapshot| snapshot.block.height()).copied()
    }
}
