//! The JSON schema of a lab file, for editors.

use schemars::generate::SchemaSettings;

use super::file::LabFile;

/// The schema, as indented JSON.
///
/// # Errors
/// None that is known.
pub fn schema() -> serde_json::Result<String> {
    // Draft 7 is what editors know.
    let generator = SchemaSettings::draft07().into_generator();
    let schema = generator.into_root_schema_for::<LabFile>();
    let mut text = serde_json::to_string_pretty(&schema)?;
    text.push('\n');
    Ok(text)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_published_schema_is_up_to_date() {
        let published = include_str!("../../docs/lab.schema.json");
        let now = super::schema().unwrap();
        assert!(
            published == now,
            "run: vswitch schema > docs/lab.schema.json"
        );
    }
}
