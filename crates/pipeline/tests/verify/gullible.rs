//! Rules that find every block right, so that what is refused is refused by the verifier's own code.

use pitpet_chain::abi::{Opened, Replay, Start};
use pitpet_chain::block::Block;
use pitpet_chain::codec::{Bytes, decode, encode};
use pitpet_chain::genesis::Genesis;
use pitpet_chain::kennel::{Head, Kennel, NewBlock};
use pitpet_chain::log::{self, Frontier};
use pitpet_pipeline::ports::{ChainInstance, ModuleError, ModuleHost};

pub(crate) struct Gullible;

struct Believer(Frontier);

impl Believer {
    fn head(&mut self, bytes: &Bytes) -> Head {
        let block: Block = decode(&bytes.0).unwrap();
        let hash = block.header.hash();
        self.0.append(log::leaf(&hash.0));
        Head {
            height: block.header.height,
            hash,
            header: Bytes(encode(&block.header)),
            checkpoint_root: self.0.root(),
            summary: decode(&block.summary.0).unwrap(),
        }
    }
}

impl ModuleHost for Gullible {
    fn open(&self, _: &[u8; 32], start: &[u8]) -> Result<(Box<dyn ChainInstance>, Vec<u8>), ModuleError> {
        let start: Start = decode(start).unwrap();
        let genesis: Genesis = decode(&start.genesis.unwrap().0).unwrap();
        let (kennel, block) = Kennel::found(genesis, start.rules_hash).unwrap();
        let mut believer = Believer(Frontier::default());
        let head = believer.head(&block.bytes);
        let opened = Opened { kennel: *kennel.id(), head, block: Some(block) };
        Ok((Box::new(believer), encode(&opened)))
    }
}

impl ChainInstance for Believer {
    fn replay(&mut self, input: &[u8]) -> Result<Vec<u8>, ModuleError> {
        let replay: Replay = decode(input).unwrap();
        let head = self.head(&replay.block);
        Ok(encode(&NewBlock { bytes: replay.block, head, nodes: vec![] }))
    }
    fn apply(&mut self, _: &[u8]) -> Result<Vec<u8>, ModuleError> {
        unreachable!("an auditor makes no blocks")
    }
    fn snapshot(&mut self) -> Result<Vec<u8>, ModuleError> {
        unreachable!("an auditor keeps no state")
    }
    fn ask(&mut self, _: &[u8]) -> Result<Vec<u8>, ModuleError> {
        unreachable!("an auditor asks for no proof")
    }
}
