//! Objects: snapshots, photos and the chain modules that anyone may fetch.

use std::collections::BTreeSet;

use pitpet_chain::abi::{Opened, Start};
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::hash::{Digest32, sha256};

use super::{Chain, Flaw, Loss, Place, Remedy, Run};
use crate::erase::is_photo_erased;
use crate::head::LedgerError;
use crate::items;
use crate::ports::{ModuleError, ObjectError, Objects};
use crate::snapshots;

impl Run<'_, '_> {
    /// The snapshots of a kennel and the module that opens them.
    pub(super) async fn snapshots(&mut self, chain: &Chain) -> Result<(), LedgerError> {
        let Some(objects) = self.fsck.objects else {
            let why = format!("{}: photos and snapshots: no object store was named", chain.founding.label);
            self.summary.unchecked.push(why);
            return Ok(());
        };
        let kennel = chain.founding.kennel;
        self.modules(chain, objects).await?;
        for place in snapshots::list(objects, &kennel).await? {
            let on_chain = usize::try_from(place.height).ok().and_then(|at| chain.hashes.get(at));
            let flaw = if on_chain == Some(&place.hash) {
                self.snapshot_flaw(chain, objects, &place).await?
            } else if place.height > chain.head.height && self.has_grown_to(chain, place.height).await? {
                continue;
            } else {
                Some(Flaw::Unexpected)
            };
            let Some(flaw) = flaw else { continue };
            if self.repairs() {
                // A cache: without it older ones serve, in the end the genesis.
                snapshots::delete(objects, &kennel, &place).await?;
            }
            let place = Place::Object(snapshots::manifest_key(&kennel, &place));
            self.fault(kennel, place, flaw, self.derivable());
        }
        self.archived(chain, objects).await?;
        self.summary.leftovers += snapshots::count_leftovers(objects, &kennel).await?;
        Ok(())
    }

    async fn snapshot_flaw(
        &mut self,
        chain: &Chain,
        objects: &dyn Objects,
        place: &snapshots::Place,
    ) -> Result<Option<Flaw>, LedgerError> {
        let bad = |why: String| Ok(Some(Flaw::Snapshot(why)));
        match snapshots::read(objects, &chain.founding.kennel, place).await {
            Ok(content) => Ok(self.state_flaw(chain, place, content)),
            Err(LedgerError::Objects(ObjectError::NotFound)) => bad("a part is missing".to_owned()),
            Err(LedgerError::Damaged(why)) => bad(why),
            Err(error) => Err(error),
        }
    }

    /// The archived states of a kennel, each of which a browser may begin with.
    async fn archived(&mut self, chain: &Chain, objects: &dyn Objects) -> Result<(), LedgerError> {
        let kennel = chain.founding.kennel;
        let archived_every = usize::try_from(snapshots::ARCHIVED_EVERY).expect("a small number");
        for (height, hash) in (0..).zip(&chain.hashes).step_by(archived_every) {
            let place = snapshots::Place { height, hash: *hash };
            let Some(content) = snapshots::archived(objects, &kennel, &place).await? else { continue };
            let Some(flaw) = self.state_flaw(chain, &place, content) else { continue };
            let key = snapshots::archived_key(&kennel, &place);
            if self.repairs() {
                // A browser begins with an earlier one, in the end with the genesis.
                objects.delete(&key).await?;
            }
            self.fault(kennel, Place::Object(key), flaw, self.derivable());
        }
        Ok(())
    }

    /// What is wrong with the state of a block as it was kept.
    fn state_flaw(&mut self, chain: &Chain, place: &snapshots::Place, content: Vec<u8>) -> Option<Flaw> {
        let bad = |why: String| Some(Flaw::Snapshot(why));
        let rules_hash = chain.rules_at(place.height);
        let start = Start { rules_hash, genesis: None, snapshot: Some(Bytes(content)) };
        // It recomputes the state root, which the header in the snapshot states.
        match self.fsck.modules.open(&rules_hash.0, &encode(&start)) {
            Ok((_, opened)) => match decode::<Opened>(&opened) {
                Ok(opened) if opened.head.hash == place.hash => {
                    self.summary.snapshots += 1;
                    None
                }
                _ => bad("it is of another block".to_owned()),
            },
            Err(ModuleError::Refused(fault)) => bad(fault.to_string()),
            Err(error) => {
                self.summary.unchecked.push(format!("snapshot at block {}: {error}", place.height));
                None
            }
        }
    }

    /// The modules that decided the kennel's blocks, where they are kept for others to fetch.
    async fn modules(&mut self, chain: &Chain, objects: &dyn Objects) -> Result<(), LedgerError> {
        for rules in chain.rules.iter().map(|(_, rules)| *rules).collect::<BTreeSet<_>>() {
            let key = items::rules_object(&rules);
            let content = match objects.get(&key).await {
                Ok(content) => content,
                // The service puts a released one there when it starts.
                Err(ObjectError::NotFound) if self.fsck.rules.contains(&rules) => continue,
                Err(ObjectError::NotFound) => {
                    self.lost(chain.founding.kennel, Place::Object(key), Flaw::Missing, Loss::Module);
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            if sha256(&content) != rules.0 {
                // A false module is worse than none.
                if self.repairs() {
                    objects.delete(&key).await?;
                }
                // One of a release is in every program; nobody else keeps another.
                let remedy = match self.fsck.rules.contains(&rules) {
                    true => self.derivable(),
                    false => Remedy::Lost(Loss::Module),
                };
                self.fault(chain.founding.kennel, Place::Object(key), Flaw::Content, remedy);
            }
        }
        Ok(())
    }

    /// A photo that an event shows.
    pub(super) async fn photo(&mut self, chain: &Chain, photo: &Digest32) -> Result<(), LedgerError> {
        let Some(objects) = self.fsck.objects else { return Ok(()) };
        let key = items::photo_object(photo);
        if is_photo_erased(self.fsck.table.as_ref(), photo).await? {
            self.summary.erased += 1;
            if objects.size(&key).await?.is_some() {
                if self.repairs() {
                    objects.delete(&key).await?;
                }
                self.fault(chain.founding.kennel, Place::Object(key), Flaw::HalfErased, self.derivable());
            }
            return Ok(());
        }
        let flaw = match objects.get(&key).await {
            Ok(content) if sha256(&content) == *photo => {
                self.summary.photos += 1;
                return Ok(());
            }
            Ok(_) => {
                // A false photo is worse than none.
                if self.repairs() {
                    objects.delete(&key).await?;
                }
                Flaw::Content
            }
            Err(ObjectError::NotFound) => Flaw::Missing,
            Err(error) => return Err(error.into()),
        };
        self.lost(chain.founding.kennel, Place::Object(key), flaw, Loss::Photo);
        Ok(())
    }
}
